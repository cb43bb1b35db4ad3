package testmodel

import (
	"os"
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	if _, err := os.Stat(Path("internal", "testmodel", "testmodel.go")); err != nil {
		t.Error(err)
	}
	t.Chdir("../../cmd/ascood-score")
	if _, err := os.Stat(Path("go.mod")); err != nil {
		t.Error(err)
	}
}

// TestPathOutside: the search ends at the root of the file system.
func TestPathOutside(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, dir) || !strings.Contains(said, "go.mod") {
			t.Errorf("it panics with %q, want the folder and what is missing", said)
		}
	}()
	t.Errorf("found %s", Path())
}
