package dataset

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDigestTellsDatasetsApart makes datasets that differ in one thing each.
func TestDigestTellsDatasetsApart(t *testing.T) {
	dir := t.TempDir()
	png, err := os.ReadFile("../preprocess/testdata/formats/bilevel.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/cat/1.png", "a/dog/2.png", "b/cat/1.png", "b/dog/2.png"} {
		write(t, dir, name, png)
	}
	list := func(name, content, root string) Dataset {
		d, err := OpenImglist(write(t, dir, name, []byte(content)), filepath.Join(dir, root))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	folder := func(name string) Dataset {
		d, err := OpenFolder(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	gray := func(pixels, labels []uint8) Dataset {
		return &idx{name: "x", width: 2, height: 1, pixels: pixels, labels: labels}
	}
	record := func(first uint8) Dataset {
		data := make([]uint8, cifarFormats[0].recordLen())
		data[1] = first
		return &cifar{format: cifarFormats[0], records: []cifarRecord{{"x.bin", 0, data}}}
	}
	const lines = "cat/1.png 0\ndog/2.png 1\n"
	seen := map[string]string{}
	for name, d := range map[string]Dataset{
		"list":            list("1.txt", lines, "a"),
		"other root":      list("1.txt", lines, "b"),
		"other label":     list("2.txt", "cat/1.png 0\ndog/2.png 0\n", "a"),
		"other image":     list("3.txt", "cat/1.png 0\ncat/1.png 1\n", "a"),
		"part":            Subset(list("1.txt", lines, "a"), []int{0}),
		"other part":      Subset(list("1.txt", lines, "a"), []int{1}),
		"other order":     Subset(list("1.txt", lines, "a"), []int{1, 0}),
		"other folder":    Subset(folder("b"), []int{1}),
		"one by one":      Concat(Subset(folder("b"), []int{0}), list("1.txt", lines, "a")),
		"other way round": Concat(list("1.txt", lines, "a"), Subset(folder("b"), []int{0})),
		"IDX":             gray([]uint8{1, 2, 3, 4}, []uint8{0, 1}),
		"IDX's pixels":    gray([]uint8{1, 2, 3, 5}, []uint8{0, 1}),
		"IDX's labels":    gray([]uint8{1, 2, 3, 4}, []uint8{0, 2}),
		"IDX, unlabelled": gray([]uint8{1, 2, 3, 4}, nil),
		"CIFAR":           record(0),
		"CIFAR's pixels":  record(1),
	} {
		sum, err := Digest(d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if other, ok := seen[sum]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[sum] = name
		if again, err := Digest(d); again != sum || err != nil {
			t.Errorf("%s has another digest the second time (%v)", name, err)
		}
	}
}

// TestDigestSeesFilesChange replaces an image, and removes it.
func TestDigestSeesFilesChange(t *testing.T) {
	dir := t.TempDir()
	d, err := OpenImglist(write(t, dir, "list.txt", []byte("1.png 0\n")), dir)
	if err != nil {
		t.Fatal(err)
	}
	digest := func(content string) string {
		write(t, dir, "1.png", []byte(content))
		sum, err := Digest(d)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	first := digest("a")
	if digest("bc") == first {
		t.Error("a larger file has the same digest")
	}
	then := digest("a")
	if err := os.Chtimes(filepath.Join(dir, "1.png"), time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if sum, err := Digest(d); sum == then || err != nil {
		t.Errorf("a newer file has the same digest (%v)", err)
	}
	if err := os.Remove(filepath.Join(dir, "1.png")); err != nil {
		t.Fatal(err)
	}
	if sum, err := Digest(d); sum == then || err != nil {
		t.Errorf("no file has the same digest (%v)", err)
	}
}

// TestDigestFollowsLinks reaches one folder in two ways.
func TestDigestFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/1.png", nil)
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	var sums []string
	for _, name := range []string{"a", "link", "link/../a"} {
		d, err := OpenFolder(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := Digest(d)
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, sum)
	}
	if sums[0] != sums[1] || sums[0] != sums[2] {
		t.Errorf("digests %v of one folder", sums)
	}
}
