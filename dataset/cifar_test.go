package dataset

import (
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/preprocess"
)

// cifarFile is a file of records with the given labels. Image i has the red
// plane 10·i, the green one 10·i+1 and the blue one 10·i+2, but for the pixel at
// x 3, y 1, which is 5 levels above.
func cifarFile(labels ...[]uint8) (file []byte) {
	for i, bytes := range labels {
		file = append(file, bytes...)
		for channel := range 3 {
			plane := slices.Repeat([]uint8{uint8(10*i + channel)}, cifarPlane)
			plane[cifarSide+3] += 5
			file = append(file, plane...)
		}
	}
	return file
}

// cifar10 makes the folder of CIFAR-10's binary version with two images in each
// file: those of data_batch_N have the labels N and 2N-1.
func cifar10(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for n, name := range cifarFormats[0].training {
		write(t, dir, name, cifarFile([]uint8{uint8(n + 1)}, []uint8{uint8(2*n + 1)}))
	}
	write(t, dir, "test_batch.bin", cifarFile([]uint8{7}))
	write(t, dir, "batches.meta.txt", []byte("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"))
	write(t, dir, "readme.html", []byte("<html>"))
	return dir
}

func TestCIFAR10(t *testing.T) {
	dir := cifar10(t)
	train, err := Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 10 {
		t.Fatalf("%d training images, want 10", train.Len())
	}
	if got, want := (entry{train.Name(7), train.Label(7)}), (entry{"data_batch_4.bin[1]", 7}); got != want {
		t.Errorf("image 7 is %v, want %v", got, want)
	}
	img, err := train.Load(t.Context(), 7, preprocess.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	if p := pixelsOf(img).NRGBAAt(31, 31); img.Bounds() != image.Rect(0, 0, 32, 32) || p.R != 10 || p.G != 11 || p.B != 12 || p.A != 255 {
		t.Errorf("bounds %v, last pixel %v; want 32x32 and 10, 11, 12, 255", img.Bounds(), p)
	}
	if p := pixelsOf(img).NRGBAAt(3, 1); p.R != 15 || p.G != 16 || p.B != 17 {
		t.Errorf("pixel 3,1 is %v, want 15, 16, 17", p)
	}
	test, err := Open(filepath.Join(dir, "test_batch.bin"), "")
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, test, entry{"test_batch.bin[0]", 7})
	part, err := Open(dir+"[8:]", "")
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, part, entry{"data_batch_5.bin[0]", 5}, entry{"data_batch_5.bin[1]", 9})
	for _, d := range []Dataset{train, test, part} {
		if names := Classes(d); len(names) != 10 || names[0] != "airplane" || names[9] != "truck" {
			t.Errorf("classes %v, want those of batches.meta.txt", names)
		}
	}
}

func TestCIFAR100(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "train.bin", cifarFile([]uint8{19, 99}, []uint8{4, 0}))
	write(t, dir, "test.bin", cifarFile([]uint8{0, 51}))
	for file, want := range map[string][]entry{
		"":         {{"train.bin[0]", 99}, {"train.bin[1]", 0}},
		"test.bin": {{"test.bin[0]", 51}},
	} {
		d, err := Open(filepath.Join(dir, file), "")
		if err != nil {
			t.Error(err)
			continue
		}
		wantEntries(t, d, want...)
		img, err := d.Load(t.Context(), 0, preprocess.Reading{})
		if err != nil {
			t.Error(err)
		} else if p := pixelsOf(img).NRGBAAt(0, 0); p.R != 0 || p.G != 1 || p.B != 2 {
			t.Errorf("first pixel %v, want 0, 1, 2", p)
		}
		if names := Classes(d); names != nil {
			t.Errorf("classes %v without a file of names", names)
		}
	}
}

func TestCIFARWrongInput(t *testing.T) {
	dir := cifar10(t)
	whole := cifarFile([]uint8{3}, []uint8{4})
	for content, want := range map[string]string{
		"":                                     "0 bytes",
		string(whole[:len(whole)-1]):           "6145 bytes: truncated, or no file of CIFAR images, which are records of 3073 (CIFAR-10) or 3074 (CIFAR-100) bytes",
		string(whole) + "\n":                   "6147 bytes",
		string(cifarFile([]uint8{10})):         "image 0 has the label 10: no file of CIFAR-10, which has 10 classes",
		string(cifarFile([]uint8{0, 100})):     "image 0 has the label 100: no file of CIFAR-100",
		"a.png 1\n" + strings.Repeat("\n", 99): "no file of CIFAR images",
	} {
		path := write(t, dir, "data.bin", []byte(content))
		_, err := Open(path, "")
		wantInvalid(t, err, path, want)
	}
	_, err := OpenCIFAR(filepath.Join(dir, "test_batch.bin"), write(t, dir, "test.bin", cifarFile([]uint8{0, 1})))
	wantInvalid(t, err, "test.bin: a file of CIFAR-100 among those of CIFAR-10")
	_, err = OpenCIFAR()
	wantInvalid(t, err, "no files")
	if err := os.Remove(filepath.Join(dir, "data_batch_4.bin")); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir, "")
	wantInvalid(t, err, "data_batch_4.bin", "no such file")
	write(t, dir, "batches.meta.txt", []byte("cat\ndog\n"))
	_, err = Open(filepath.Join(dir, "test_batch.bin"), "")
	wantInvalid(t, err, "batches.meta.txt: 2 class names, but CIFAR-10 has 10")
}
