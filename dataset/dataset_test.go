package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"image"
	"image/draw"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// write makes a file below dir, with its folders.
func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pixelsOf(img image.Image) *image.NRGBA {
	pixels := image.NewNRGBA(img.Bounds())
	draw.Draw(pixels, pixels.Rect, img, pixels.Rect.Min, draw.Src)
	return pixels
}

// wantInvalid checks that err is ascood.Invalid and contains all of the texts.
func wantInvalid(t *testing.T, err error, texts ...string) {
	t.Helper()
	if ascood.CodeOf(err) != ascood.Invalid {
		t.Errorf("got %v, want an error of code %s", err, ascood.Invalid)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}

type entry struct {
	name  string
	label int
}

func entries(d Dataset) (all []entry) {
	for i := range d.Len() {
		all = append(all, entry{d.Name(i), d.Label(i)})
	}
	return all
}

func wantEntries(t *testing.T, d Dataset, want ...entry) {
	t.Helper()
	if got := entries(d); !slices.Equal(got, want) {
		t.Errorf("images %v, want %v", got, want)
	}
}

func TestImglist(t *testing.T) {
	dir := t.TempDir()
	photo := readFile(t, "../preprocess/testdata/formats/rgb.png")
	write(t, dir, "root/a b/c 1.png", photo)
	list := write(t, dir, "lists/test.txt", []byte("a b/c 1.png 3\r\n\nx/../a.png\t-1\n  y.png 0  "))
	d, err := OpenImglist(list, filepath.Join(dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, d, entry{"a b/c 1.png", 3}, entry{"x/../a.png", Unlabelled}, entry{"y.png", 0})
	img, err := d.Load(t.Context(), 0, preprocess.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 41 || b.Dy() != 30 {
		t.Errorf("bounds %v, want 41x30", b)
	}
	_, err = d.Load(t.Context(), 2, preprocess.Reading{})
	wantInvalid(t, err, filepath.Join(dir, "root", "y.png"))
}

func TestImglistWrongInput(t *testing.T) {
	for content, want := range map[string]string{
		"a.png 1\nb.png\n":                       ":2: no label",
		"a.png one\n":                            `:1: label "one"`,
		"a.png 1.5\n":                            `:1: label "1.5"`,
		"a.png -2\n":                             `:1: label "-2"`,
		"a.png 1\n\n/etc/b.png 1\n":              ":3: absolute path",
		"a.png 1\n../b.png 1\n":                  ":2: path",
		"a/../../b.png 1\n":                      "leads out of the data folder",
		"":                                       "no images",
		"\n \n":                                  "no images",
		"a.png 0\n" + strings.Repeat("x", 1<<17): ":2: ",
	} {
		list := write(t, t.TempDir(), "list.txt", []byte(content))
		_, err := OpenImglist(list, "root")
		wantInvalid(t, err, list, want)
	}
	_, err := OpenImglist("missing.txt", "root")
	wantInvalid(t, err, "missing.txt")
}

// TestClassNamesInLists: where the classes are known, lists may name them, with spaces.
func TestClassNamesInLists(t *testing.T) {
	dir, classes := t.TempDir(), []string{"emu", "polar bear", "bear", "7"}
	d, err := OpenFor(classes, write(t, dir, "list.txt", []byte("a.png emu\na b.png polar bear\nc.png bear\nd.png 2\ne.png -1\nf.png 7\n")), "")
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, d, entry{"a.png", 0}, entry{"a b.png", 1}, entry{"c.png", 2}, entry{"d.png", 2}, entry{"e.png", Unlabelled}, entry{"f.png", 7})
	for content, want := range map[string]string{
		"a.png emu\nb.png cat\n": `:2: label "cat": must be a class number, -1 for none, or the name of one of the model's classes, which are 7, bear, emu, polar bear`,
		" polar bear":            `:1: label "bear"`,
		"polar bear\tpolar bear": "",
	} {
		_, err := OpenFor(classes[:2], write(t, dir, "list.txt", []byte(content)), "")
		if want == "" && err != nil || want != "" && err == nil {
			t.Errorf("%q: %v", content, err)
		} else if want != "" {
			wantInvalid(t, err, strings.Replace(want, "7, bear, ", "", 1))
		}
	}
}

func FuzzImglist(f *testing.F) {
	f.Add("a b.png 3\r\nx/../y.png -1\n")
	f.Add("../a 1")
	f.Add("/a 1\n\xff\x00 9")
	f.Add("a polar bear\n emu\nb emu")
	f.Fuzz(func(t *testing.T, content string) {
		d, err := readImglist(strings.NewReader(content), "list", "root", []string{"emu", "polar bear"})
		if err != nil {
			wantInvalid(t, err, "list")
			return
		}
		for _, e := range entries(d) {
			if !filepath.IsLocal(e.name) || e.label < Unlabelled {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func TestFolderOfClasses(t *testing.T) {
	dir := t.TempDir()
	photo := readFile(t, "../preprocess/testdata/formats/rgb.png")
	for _, name := range []string{"dog/1.PNG", "cat/b.png", "cat/a.png", "cat/deep/er/c.png", "dog/notes.txt", "dog/.hidden.png", ".git/x.png", "README"} {
		write(t, dir, name, photo)
	}
	elsewhere := t.TempDir()
	write(t, elsewhere, "e.png", photo)
	if err := os.Symlink(elsewhere, filepath.Join(dir, "emu")); err != nil {
		t.Fatal(err)
	}
	d, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, d, entry{"cat/a.png", 0}, entry{"cat/b.png", 0}, entry{"cat/deep/er/c.png", 0}, entry{"dog/1.PNG", 1}, entry{"emu/e.png", 2})
	if want := []string{"cat", "dog", "emu"}; !slices.Equal(d.Classes(), want) {
		t.Errorf("classes %v, want %v", d.Classes(), want)
	}
	for i := range d.Len() {
		if _, err := d.Load(t.Context(), i, preprocess.Reading{}); err != nil {
			t.Error(err)
		}
	}
	part := Subset(d, []int{4, 1})
	wantEntries(t, part, entry{"emu/e.png", 2}, entry{"cat/b.png", 0})
	if !slices.Equal(Classes(part), d.Classes()) {
		t.Errorf("classes of a subset %v, want %v", Classes(part), d.Classes())
	}
}

func TestFolderOfImages(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.jpg", nil)
	write(t, dir, "a.webp", nil)
	d, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	wantEntries(t, d, entry{"a.webp", Unlabelled}, entry{"b.jpg", Unlabelled})
	if Classes(d) != nil {
		t.Errorf("classes %v, want none", Classes(d))
	}
	_, err = d.Load(t.Context(), 0, preprocess.Reading{})
	wantInvalid(t, err, "a.webp", "0 bytes")
}

func TestFolderWrongInput(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenFolder(dir)
	wantInvalid(t, err, dir, "no images")
	_, err = OpenFolder(filepath.Join(dir, "missing"))
	wantInvalid(t, err, "missing")
	write(t, dir, "cat/a.png", nil)
	write(t, dir, "dog/notes.txt", nil)
	_, err = OpenFolder(dir)
	wantInvalid(t, err, `no images in the folder of class "dog"`)
	write(t, dir, "loose.png", nil)
	_, err = OpenFolder(dir)
	wantInvalid(t, err, "both images", "loose.png", "cat")
}

// idxFile is an IDX file of unsigned bytes.
func idxFile(shape []uint32, data ...uint8) []byte {
	file := []byte{0, 0, 8, uint8(len(shape))}
	for _, d := range shape {
		file = binary.BigEndian.AppendUint32(file, d)
	}
	return append(file, data...)
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestIDX(t *testing.T) {
	images := idxFile([]uint32{2, 1, 3}, 1, 2, 3, 4, 5, 6)
	labels := idxFile([]uint32{2}, 7, 9)
	dir := t.TempDir()
	write(t, dir, "plain-images-idx3-ubyte", images)
	write(t, dir, "plain-labels-idx1-ubyte", labels)
	write(t, dir, "zipped-images-idx3-ubyte.gz", zipped(t, images))
	write(t, dir, "zipped-labels-idx1-ubyte.gz", zipped(t, labels))
	write(t, dir, "mixed-images-idx3-ubyte.gz", zipped(t, images))
	write(t, dir, "mixed-labels-idx1-ubyte", labels)
	write(t, dir, "alone-images-idx3-ubyte", images)
	write(t, dir, "other", images)
	for file, test := range map[string]struct {
		name   string
		labels [2]int
	}{
		"plain-images-idx3-ubyte":     {"plain-images-idx3-ubyte", [2]int{7, 9}},
		"zipped-images-idx3-ubyte.gz": {"zipped-images-idx3-ubyte", [2]int{7, 9}},
		"mixed-images-idx3-ubyte.gz":  {"mixed-images-idx3-ubyte", [2]int{7, 9}},
		"alone-images-idx3-ubyte":     {"alone-images-idx3-ubyte", [2]int{-1, -1}},
		"other":                       {"other", [2]int{-1, -1}},
	} {
		d, err := Open(filepath.Join(dir, file), "")
		if err != nil {
			t.Error(err)
			continue
		}
		wantEntries(t, d, entry{test.name + "[0]", test.labels[0]}, entry{test.name + "[1]", test.labels[1]})
		img, err := d.Load(t.Context(), 1, preprocess.Reading{})
		if err != nil {
			t.Error(err)
			continue
		}
		pixels := pixelsOf(img)
		if want := []uint8{4, 4, 4, 255, 5, 5, 5, 255, 6, 6, 6, 255}; pixels.Rect.Dx() != 3 || !bytes.Equal(pixels.Pix, want) {
			t.Errorf("%s: pixels %v, want %v", file, pixels.Pix, want)
		}
	}
}

func TestIDXWrongInput(t *testing.T) {
	images := idxFile([]uint32{2, 1, 3}, 1, 2, 3, 4, 5, 6)
	for _, test := range []struct {
		images, labels []byte
		want           string
	}{
		{nil, nil, "truncated header"},
		{images[:10], nil, "truncated header"},
		{images[:20], nil, "truncated: 4 bytes of data, want [2 1 3] = 6"},
		{append(images, 0), nil, "left over"},
		{[]byte("GIF89a and more"), nil, "not an IDX file of unsigned bytes in 3 dimensions: begins with 47 49 46 38"},
		{idxFile([]uint32{3}, 1, 2, 3), nil, "not an IDX file of unsigned bytes in 3 dimensions"},
		{idxFile([]uint32{1, 0, 3}), nil, "dimension 1 is 0"},
		{idxFile([]uint32{1 << 30, 1 << 30, 1 << 30}), nil, "dimension 1 is 1073741824"},
		{zipped(t, images)[:30], nil, "truncated"},
		{append(zipped(t, images)[:12], 0xff, 0xff, 0xff, 0xff, 0xff), nil, "images"},
		{[]byte("\x1f\x8b\x08"), nil, "EOF"},
		{images, idxFile([]uint32{3}, 1, 2, 3), "has 3 labels for the 2 images"},
		{images, images, "not an IDX file of unsigned bytes in 1 dimensions"},
		{images, idxFile([]uint32{2}, 1), "truncated: 1 bytes"},
	} {
		dir := t.TempDir()
		imagesFile, labelsFile := write(t, dir, "images", test.images), ""
		faulty := imagesFile
		if test.labels != nil {
			labelsFile = write(t, dir, "labels", test.labels)
			faulty = labelsFile
		}
		_, err := OpenIDX(imagesFile, labelsFile)
		wantInvalid(t, err, faulty, test.want)
	}
	_, err := OpenIDX("missing", "")
	wantInvalid(t, err, "missing")
}

func FuzzIDX(f *testing.F) {
	f.Add(idxFile([]uint32{2, 1, 3}, 1, 2, 3, 4, 5, 6))
	f.Add(zipped(f, idxFile([]uint32{1, 1, 1}, 9)))
	f.Add(idxFile([]uint32{1 << 31, 1 << 31, 1 << 31}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := gunzip(bytes.NewReader(data))
		if err != nil {
			return
		}
		shape, pixels, err := readIDX(r, 3)
		if err == nil && shape[0]*shape[1]*shape[2] != len(pixels) {
			t.Fatalf("shape %v, %d bytes", shape, len(pixels))
		}
	})
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	photo := readFile(t, "../preprocess/testdata/formats/rgb.png")
	write(t, dir, "data/cat/a.png", photo)
	list := write(t, dir, "data/list.txt", []byte("cat/a.png 4\n"))
	for _, test := range []struct {
		path, root string
		want       entry
	}{
		{filepath.Join(dir, "data"), "", entry{"cat/a.png", 0}},
		{list, "", entry{"cat/a.png", 4}},
		{list, filepath.Join(dir, "data"), entry{"cat/a.png", 4}},
	} {
		d, err := Open(test.path, test.root)
		if err != nil {
			t.Error(err)
			continue
		}
		wantEntries(t, d, test.want)
		if _, err := d.Load(t.Context(), 0, preprocess.Reading{}); err != nil {
			t.Error(err)
		}
	}
	_, err := Open(filepath.Join(dir, "data", "cat", "a.png"), "")
	wantInvalid(t, err, "a.png", "neither a folder, an IDX file")
	_, err = Open(write(t, dir, "list16.txt", []byte("\xff\xfea\x00.\x00p\x00")), "")
	wantInvalid(t, err, "list16.txt: a text in UTF-16: save it as UTF-8")
	_, err = Open(filepath.Join(dir, "nothing"), "")
	wantInvalid(t, err, "nothing")
	_, err = Open(write(t, dir, "empty", nil), "")
	wantInvalid(t, err, "empty", "no images")
}

// TestByteOrderMark: what editors on Windows put before a text is no part of a name.
func TestByteOrderMark(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "cat/1.png", nil)
	d, err := OpenImglist(write(t, dir, "list.txt", []byte("\ufeffcat/1.png 0\r\n")), dir)
	if err != nil || d.Name(0) != "cat/1.png" || CheckFiles(d) != nil {
		t.Errorf("%v, %v", d, err)
	}
	classes, err := ReadClasses(write(t, dir, "classes.txt", []byte("\ufeffcat\r\ndog\r\n")))
	if err != nil || !slices.Equal(classes, []string{"cat", "dog"}) {
		t.Errorf("classes %q, %v", classes, err)
	}
}

// TestBackslashes: a list that was written on Windows.
func TestBackslashes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "cat/1.png", nil)
	list := write(t, dir, "list.txt", []byte("cat\\1.png 0\n"))
	d, err := OpenImglist(list, dir)
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, CheckFiles(d), `cat\1.png is missing, image 1 of 1: image lists use / between folders, not \`)
	check, err := CheckImglist(list, dir, 0)
	if err != nil || len(check.First) != 1 || !strings.HasSuffix(check.First[0], `cat\1.png is missing: image lists use / between folders, not \`) {
		t.Errorf("%+v, %v", check, err)
	}
}
