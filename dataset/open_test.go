package dataset

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestOpenRun(t *testing.T) {
	images := filepath.Join(t.TempDir(), "images")
	write(t, filepath.Dir(images), "images", idxFile([]uint32{10, 1, 1}, make([]uint8, 10)...))
	for _, c := range []struct {
		suffix string
		want   []string // first and last image
		count  int
	}{
		{"[2:5]", []string{"[2]", "[4]"}, 3},
		{"[:4]", []string{"[0]", "[3]"}, 4},
		{"[7:]", []string{"[7]", "[9]"}, 3},
		{"", []string{"[0]", "[9]"}, 10},
	} {
		d, err := Open(images+c.suffix, "")
		if err != nil {
			t.Fatal(err)
		}
		if d.Len() != c.count || !strings.HasSuffix(d.Name(0), c.want[0]) || !strings.HasSuffix(d.Name(d.Len()-1), c.want[1]) {
			t.Errorf("%q: %d images from %s to %s, want %d from %s to %s", c.suffix, d.Len(), d.Name(0), d.Name(d.Len()-1), c.count, c.want[0], c.want[1])
		}
	}
	for _, suffix := range []string{"[5:2]", "[3:11]", "[4:4]"} {
		if _, err := Open(images+suffix, ""); err == nil || !strings.Contains(err.Error(), "has 10") {
			t.Errorf("%q: error %v, want one that says how many images there are", suffix, err)
		}
	}
}
