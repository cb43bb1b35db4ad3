package dataset

import (
	"path/filepath"
	"reflect"
	"testing"
)

func TestCheckImglist(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cat/1.png", "cat/a b.png", "dog/2.png"} {
		write(t, dir, name, nil)
	}
	list := write(t, dir, "list.txt", []byte("cat/1.png 0\n\ncat/a b.png 0\ndog/2.png 1\ndog/3.png 1\nemu/4.png 1\ncat/1.png\n../x.png 1\ndog/../dog/2.png 2\n"))
	for classes, want := range map[int]ListCheck{
		0: {Sound: 4, Faults: 4, Missing: 2, First: []string{
			"list.txt:5: dog/3.png is missing", "list.txt:6: emu/4.png is missing", `list.txt:7: no label: want "relative/path label", got "cat/1.png"`,
		}},
		2: {Sound: 3, Faults: 5, Missing: 2, First: []string{
			"list.txt:5: dog/3.png is missing", "list.txt:6: emu/4.png is missing", `list.txt:7: no label: want "relative/path label", got "cat/1.png"`,
		}},
		1: {Sound: 2, Faults: 6, First: []string{
			"list.txt:4: label 1: there are 1 classes, 0 to 0", "list.txt:5: label 1: there are 1 classes, 0 to 0", "list.txt:6: label 1: there are 1 classes, 0 to 0",
		}},
	} {
		got, err := CheckImglist(list, dir, classes)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d classes: %+v, want %+v", classes, got, want)
		}
	}
}

func TestCheckImglistUnreadable(t *testing.T) {
	dir := t.TempDir()
	_, err := CheckImglist(filepath.Join(dir, "none.txt"), dir, 0)
	wantInvalid(t, err, "none.txt", "no such file")
	_, err = CheckImglist(write(t, dir, "empty.txt", []byte("\n")), dir, 0)
	wantInvalid(t, err, "empty.txt: no images")
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "cat/1.png", nil)
	d, err := OpenImglist(write(t, dir, "list.txt", []byte("cat/1.png 0\ncat/2.png 0\ncat/1.png 1\n")), dir)
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, CheckFiles(d), filepath.Join(dir, "cat", "2.png")+" is missing, image 2 of 3")
	wantInvalid(t, CheckFiles(Subset(d, []int{0, 2, 2, 1})), "image 4 of 4")
	if err := CheckFiles(Subset(d, []int{2, 0})); err != nil {
		t.Errorf("error %v where no file is missing", err)
	}
	wantInvalid(t, CheckFiles(Subset(d, []int{0, 1, 1})), "2 of 3 images are missing\n  "+filepath.Join(dir, "cat", "2.png")+", image 2\n  "+filepath.Join(dir, "cat", "2.png")+", image 3")
	wantInvalid(t, CheckFiles(Concat(Subset(d, []int{0}), d)), "image 3 of 4")
	wantInvalid(t, CheckFiles(relabelled{Dataset: d, labels: []int{1, 0}}), "image 2 of 3")
	if err := CheckFiles(&idx{pixels: make([]uint8, 4), width: 1, height: 1}); err != nil {
		t.Errorf("error %v on images in memory", err)
	}
}
