package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/dataset"
)

// few are amounts that the material of the tests has enough images for.
var few = amounts{training: 60, validation: 8, test: 16}

// pretend makes material of few images: a square for each object and
// photographs of one colour.
func pretend(t *testing.T) places {
	t.Helper()
	p := places{clothes: t.TempDir(), digits: t.TempDir(), photos: t.TempDir(), training: 300}
	squares(t, filepath.Join(p.clothes, "train-images-idx3-ubyte.gz"), 50, 400)
	squares(t, filepath.Join(p.clothes, "t10k-images-idx3-ubyte.gz"), 51, 200)
	squares(t, filepath.Join(p.digits, "t10k-images-idx3-ubyte"), 52, 200)
	for _, kind := range []struct {
		names []string
		color color.Color
	}{{leaves, color.RGBA{0, 200, 0, 255}}, {grays, color.RGBA{100, 100, 100, 255}}, {others, color.RGBA{200, 0, 0, 255}}} {
		for _, name := range kind.names {
			plain := image.NewRGBA(image.Rect(0, 0, 400, 300))
			for k := range 400 * 300 {
				plain.Set(k%400, k/400, kind.color)
			}
			var file bytes.Buffer
			if err := jpeg.Encode(&file, plain, nil); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(p.photos, name), file.Bytes())
		}
	}
	return p
}

// squares writes an IDX file of n squares, 10x10 in 28x28, and its labels: 0 to 9, again
// and again. Their levels say which
// image of which file it is.
func squares(t *testing.T, path string, file uint8, n int) {
	t.Helper()
	side := binary.BigEndian.AppendUint32(nil, 28)
	images := slices.Concat([]byte{0, 0, 8, 3}, binary.BigEndian.AppendUint32(nil, uint32(n)), side, side)
	labels := slices.Concat([]byte{0, 0, 8, 1}, binary.BigEndian.AppendUint32(nil, uint32(n)))
	for i := range n {
		square := make([]byte, 28*28)
		for k := range 100 {
			square[(9+k/10)*28+9+k%10] = []uint8{file, uint8(50 + i/100), uint8(50 + i%100)}[k%3]
		}
		images, labels = append(images, square...), append(labels, uint8(i%10))
	}
	put(t, path, images)
	put(t, strings.Replace(path, "images-idx3", "labels-idx1", 1), labels)
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// made returns the content of a setting's files, made of pretended material.
func made(t *testing.T, s setting) map[string][]byte {
	t.Helper()
	m, err := open(t.Context(), pretend(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := s.write(m, few, dir); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	paths, _ := filepath.Glob(filepath.Join(dir, s.name, "*"))
	for _, path := range paths {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		if _, err := dataset.Open(path, ""); err != nil {
			t.Error(err)
		}
	}
	return files
}

// recordLen is the length of a record.
const recordLen = 1 + 3*picturePixels

// TestSettings: each setting has its files, with as many images of each class as there
// should be, none of them in two, and the same each time.
func TestSettings(t *testing.T) {
	for _, s := range settings {
		files := made(t, s)
		again := made(t, s)
		at := map[string]string{} // of an object
		for name, want := range map[string]struct{ n, classes int }{
			"train.bin":    {few[training], len(s.classes)},
			"id_val.bin":   {few[validation], len(s.classes)},
			"id_test.bin":  {few[test], len(s.classes)},
			"ood_val.bin":  {few[validation], len(s.others[validation])},
			"ood_test.bin": {few[test], len(s.others[test])},
			"outliers.bin": {few[training], 1},
		} {
			if !bytes.Equal(files[name], again[name]) {
				t.Errorf("%s/%s is another one the second time", s.name, name)
			}
			if len(files[name]) != want.n*recordLen {
				t.Errorf("%s/%s has %d bytes, want %d images", s.name, name, len(files[name]), want.n)
			}
			labels := map[byte]bool{}
			for record := range slices.Chunk(files[name], recordLen) {
				labels[record[0]] = true
				object := string(record[1+12*pictureSide+12:][:3])
				if other, ok := at[object]; ok && name != "outliers.bin" {
					t.Errorf("%s: an image of %s is in %s", s.name, name, other)
				}
				at[object] = name
			}
			if len(labels) != min(want.classes, want.n) {
				t.Errorf("%s/%s has the labels %v, want %d of them", s.name, name, labels, want.classes)
			}
		}
		if len(files) != 6 {
			t.Errorf("%s has %d files, want 6", s.name, len(files))
		}
	}
}

// TestBackgrounds: in training nine of ten backgrounds agree with the class, elsewhere
// half of them.
func TestBackgrounds(t *testing.T) {
	files := made(t, settings[2])
	for name, want := range map[string]float64{"train.bin": .9, "id_val.bin": .5, "id_test.bin": .5, "ood_val.bin": .5, "ood_test.bin": .5} {
		agree := 0
		for record := range slices.Chunk(files[name], recordLen) {
			red, green := record[1], record[1+picturePixels]
			if isLeaf := green > red+100; isLeaf == (record[0]%2 == 0) {
				agree++
			}
		}
		if have := float64(agree) / float64(len(files[name])/recordLen); have != want {
			t.Errorf("%s: %g of the backgrounds agree with the class, want %g", name, have, want)
		}
	}
}

// TestStripes: no piece for validation or test has pixels that one for training may have.
func TestStripes(t *testing.T) {
	ramp := image.NewNRGBA(image.Rect(0, 0, 320, photoHeight)) // 5:4, as the narrowest is
	for k := range 320 * photoHeight {
		ramp.Set(k%320, k/320, color.NRGBA{uint8(k % 320 / 2), 0, 0, 255})
	}
	rng := rand.New(rand.NewPCG(1, 0))
	for p, stripe := range stripes {
		for range 50 {
			piece := photo{ramp}.piece(stripe, rng)
			for k := 0; k < len(piece); k += 3 {
				if x := float64(piece[k]) * 2 / 320; x < stripe[0]-.01 || x > stripe[1]+.01 {
					t.Fatalf("a piece for part %d shows what is at %g of the width, want %v", p, x, stripe)
				}
			}
		}
	}
}

// TestPaste: what is dark within the object belongs to it, and what is around it is the
// background.
func TestPaste(t *testing.T) {
	dir := t.TempDir()
	object := make([]byte, 28*28)
	for y := 5; y <= 15; y++ {
		for x := 5; x <= 15; x++ {
			object[y*28+x] = 200
		}
	}
	object[10*28+10] = 3 // a dark print
	object[2*28+2] = 15  // noise
	header := []byte{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28}
	put(t, filepath.Join(dir, "one"), append(header, object...))
	d, err := dataset.Open(filepath.Join(dir, "one"), "")
	if err != nil {
		t.Fatal(err)
	}
	background := black()
	for k := range background {
		background[k] = uint8(k%3 + 100)
	}
	pasted, err := paste(d, 0, background)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		x, y int
		want [3]uint8
	}{{0, 0, [3]uint8{100, 101, 102}}, {4, 4, [3]uint8{100, 101, 102}}, {7, 7, [3]uint8{200, 200, 200}}, {12, 12, [3]uint8{3, 3, 3}}, {18, 7, [3]uint8{100, 101, 102}}} {
		if have := [3]uint8(pasted[3*(c.y*pictureSide+c.x):]); have != c.want {
			t.Errorf("at %d, %d: %v, want %v", c.x, c.y, have, c.want)
		}
	}
	if record := pasted.record(7); record[0] != 7 || record[1] != 100 || record[1+picturePixels] != 101 || record[1+2*picturePixels+12*pictureSide+12] != 3 {
		t.Error("the record is not a label and three planes")
	}
}

// TestMissing: what is missing is named.
func TestMissing(t *testing.T) {
	p := pretend(t)
	m, err := open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := settings[1].write(m, amounts{training: 1000}, t.TempDir()); err == nil || !strings.Contains(err.Error(), "train.bin: of the classes [0 1 2 3 5 7 8] of train-images-idx3-ubyte[0] and those after it 790 images are missing") {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(p.photos, "Storm.jpg")); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), p); err == nil || !strings.Contains(err.Error(), "mate-backgrounds") || !strings.Contains(err.Error(), "Storm.jpg") {
		t.Error(err)
	}
	for _, args := range [][]string{nil, {"a", "b"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "want OUT") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
