package checkpoint

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/models"
)

// TestLoadTorchvision reads state dicts with all the names of torchvision's
// networks, in both formats.
func TestLoadTorchvision(t *testing.T) {
	dir := filepath.Join("..", "testdata", "torchvision")
	for file, arch := range map[string]string{"resnet18": "resnet18_224x224", "resnet50": "resnet50"} {
		c, err := Load(filepath.Join(dir, file+"-width1.pth"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for line := range strings.Lines(string(read(t, filepath.Join(dir, file+".txt")))) {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
		}
		slices.Sort(names)
		if got := slices.Sorted(maps.Keys(c.Model)); !slices.Equal(got, names) {
			t.Errorf("%s: names %v, want %v", file, got, names)
		}
		g, err := models.New(models.Spec{Arch: arch, Width: 1, Classes: 3, Head: models.HeadLinear}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Check(c.Model.Shapes()); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
