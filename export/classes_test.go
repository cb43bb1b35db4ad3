package export_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
)

// TestClassNames: names that were given come before those of the checkpoint, then
// those that lie beside the weights and those of folders, if they are as many.
func TestClassNames(t *testing.T) {
	names := func(prefix string, count int) (all []string) {
		for i := range count {
			all = append(all, prefix+strconv.Itoa(i))
		}
		return all
	}
	for name, test := range map[string]struct {
		given, own, beside, folders []string
		want                        string
		taken                       []string
	}{
		"given":               {names("g", 10), names("o", 10), names("b", 10), names("f", 10), "g", nil},
		"of the checkpoint":   {nil, names("o", 10), names("b", 10), names("f", 10), "o", nil},
		"beside the weights":  {nil, nil, names("b", 10), names("f", 10), "b", []string{"class names: those under class_to_idx"}},
		"too many beside":     {nil, nil, names("b", 11), names("f", 10), "f", []string{"class names: not those under class_to_idx, 11 for 10 classes", "class names: those under the folders of the images"}},
		"nothing names them":  {nil, nil, nil, nil, "", []string{"class names: numbers, as nothing names them"}},
		"too few, everywhere": {nil, nil, names("b", 3), names("f", 9), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := checkpoint.Open(filepath.Join("..", "testdata", "nets", "lenet.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			f.Meta.Classes, f.Classes = test.own, checkpoint.ClassList{Names: test.beside, Key: "class_to_idx"}
			pre := testmodel.Square(28)
			_, meta, err := export.FromFile(f, export.Options{
				Arch: "lenet", Preprocess: &pre, Classes: test.given, Folders: test.folders,
				Score: artifact.Score{Name: artifact.ScoreMSP, Temperature: 1},
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(meta.Classes, names(test.want, 10)) {
				t.Errorf("classes %v, want those of %q", meta.Classes, test.want)
			}
			if test.taken != nil && !slices.Equal(meta.Source.Taken, test.taken) {
				t.Errorf("taken %q, want %q", meta.Source.Taken, test.taken)
			}
		})
	}
}
