package importer

import (
	"os"
	"regexp"
	"testing"
)

// TestDifferentiableIsImported: each operator that the manual says is differentiated
// can be imported.
func TestDifferentiableIsImported(t *testing.T) {
	text, err := os.ReadFile("../docs/onnx.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(string(text), -1)
	if len(rows) < 60 {
		t.Errorf("the manual lists %d operators", len(rows))
	}
	for _, row := range rows {
		if legal[row[1]] == nil {
			t.Errorf("%s has a gradient, but cannot be imported", row[1])
		}
	}
}
