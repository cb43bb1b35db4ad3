package dataset

import (
	"fmt"
	"path/filepath"
	"testing"
)

func TestRelabel(t *testing.T) {
	open := func(names ...string) Dataset {
		dir := t.TempDir()
		for _, name := range names {
			write(t, dir, filepath.Join(name, "1.png"), nil)
		}
		d, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	named, numbered := []string{"emu", "cat", "dog"}, []string{"0", "1", "2"}
	for name, c := range map[string]struct {
		data    Dataset
		classes []string
		want    string
	}{
		"names":           {open("cat", "dog", "emu"), named, "[1 2 0]"},
		"some names":      {open("dog", "emu"), named, "[2 0]"},
		"a part":          {Subset(open("cat", "dog", "emu"), []int{2}), named, "[0]"},
		"numbers":         {open("0", "2"), named, "[0 2]"},
		"numbers of many": {open("0", "1", "10", "2"), []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}, "[0 1 10 2]"},
		"no names":        {open("cat", "dog", "emu"), numbered, "[0 1 2]"},
		"too few":         {open("cat", "dog"), numbered, "the folder cat is named as none of the model's classes (0, 1, 2), nor by the number of one, 0 to 2"},
		"other names":     {open("cat", "dog", "fox"), named, "the folder fox is named as none of the model's classes (emu, cat, dog)"},
		"too large":       {open("0", "3"), named, "the folder 3 is named"},
		"mixed":           {open("0", "cat"), named, "some of the folders (0, cat)"},
	} {
		d, err := Relabel(c.data, c.classes)
		if err != nil {
			wantInvalid(t, err, c.want)
			continue
		}
		var labels []int
		for i := range d.Len() {
			labels = append(labels, d.Label(i))
		}
		if got := fmt.Sprint(labels); got != c.want {
			t.Errorf("%s: labels %s, want %s", name, got, c.want)
		}
		if err := CheckFiles(d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := OpenImglist(write(t, t.TempDir(), "list.txt", []byte("a.png 7\n")), "")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := Relabel(list, named); err != nil || d.Label(0) != 7 {
		t.Errorf("a list is relabelled (%v)", err)
	}
}
