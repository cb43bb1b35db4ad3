package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/dataset"
)

func names(d dataset.Dataset) []string {
	list := make([]string, d.Len())
	for i := range list {
		list[i] = d.Name(i)
	}
	return list
}

// TestLimits: subsets are random, decided by the seed, and of the size asked for.
func TestLimits(t *testing.T) {
	c := small(t)
	c.TrainLimit, c.ValLimit = 40, 1000
	draw := func(seed uint64) []string {
		c.Seed = seed
		d, err := openImages(c)
		if err != nil {
			t.Fatal(err)
		}
		if d.val.Len() != 50 {
			t.Errorf("%d images to validate on, want all 50", d.val.Len())
		}
		return names(d.train)
	}
	first := draw(1)
	if distinct := slices.Compact(slices.Sorted(slices.Values(first))); len(distinct) != 40 {
		t.Errorf("%d different images of 40", len(distinct))
	}
	if !slices.Equal(first, draw(1)) || slices.Equal(first, draw(2)) {
		t.Error("the seed does not decide the subset")
	}
}

func TestClasses(t *testing.T) {
	c := small(t)
	check := func(want ...string) {
		t.Helper()
		d, err := openImages(c)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(d.classes, want) {
			t.Errorf("classes %q, want %q", d.classes, want)
		}
	}
	check("0", "1", "2", "3")
	c.Classes = write(t, filepath.Join(t.TempDir(), "classes"), []byte("level\nupright\nrising\nfalling\nunseen\n"))
	check("level", "upright", "rising", "falling", "unseen")
	c.Classes, c.Train = "", t.TempDir()
	for _, class := range []string{"cat", "dog"} {
		if err := os.Mkdir(filepath.Join(c.Train, class), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(c.Train, class, "a.png"), nil)
	}
	c.Val = c.Train
	check("cat", "dog")
	c.Classes = "/nowhere/classes"
	if _, err := openImages(c); err == nil || !strings.Contains(err.Error(), "class names: open /nowhere/classes") {
		t.Errorf("no file of classes: %v", err)
	}
}
