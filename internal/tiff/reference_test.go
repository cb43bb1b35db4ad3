package tiff

import (
	"bytes"
	"context"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReference compares with PIL, bit for bit. JPEG is left out: its decoder is the user's.
func TestReference(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.tif")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, path := range paths {
		if strings.HasPrefix(filepath.Base(path), "jpeg-") {
			continue
		}
		tested++
		t.Run(filepath.Base(path), func(t *testing.T) {
			img, err := decode(readFile(t, path))
			if err != nil {
				t.Fatal(err)
			}
			got, want := flat(img), flat(readPNG(t, path+".png"))
			if got.Rect != want.Rect {
				t.Fatalf("bounds %v, want %v", got.Rect, want.Rect)
			}
			for i := range want.Pix {
				if got.Pix[i] != want.Pix[i] {
					t.Fatalf("pixel %d,%d is %v, want %v", i/4%want.Rect.Dx(), i/4/want.Rect.Dx(), got.Pix[i/4*4:][:4], want.Pix[i/4*4:][:4])
				}
			}
		})
	}
	if tested != 108 {
		t.Errorf("tested %d files, want 108", tested)
	}
}

// flat is an image as RGBA. Of 16-bit gray it is what PIL's conversion makes, which clips.
func flat(img image.Image) *image.NRGBA {
	dst := image.NewNRGBA(img.Bounds())
	if deep, ok := img.(*image.Gray16); ok {
		for i := range len(deep.Pix) / 2 {
			level := deep.Pix[2*i+1]
			if deep.Pix[2*i] > 0 {
				level = 255
			}
			copy(dst.Pix[4*i:], []uint8{level, level, level, 255})
		}
		return dst
	}
	draw.Draw(dst, dst.Rect, img, dst.Rect.Min, draw.Src)
	return dst
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(readFile(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// FuzzDecode: damaged files give an error or an image of the size that was told.
// TestStretch: 12 bits are what they are, or fill 16.
func TestStretch(t *testing.T) {
	file := build(with(grayTags(2, 1), map[int][]int{tagBitsPerSample: {12}}), []byte{0xff, 0xf0, 0x80})
	for stretch, want := range map[bool][]uint8{false: {0x0f, 0xff, 0x00, 0x80}, true: {0xff, 0xff, 0x08, 0x00}} {
		img, err := Decode(t.Context(), file, Options{Stretch: stretch})
		if err != nil {
			t.Fatal(err)
		}
		if got := img.(*image.Gray16).Pix; !bytes.Equal(got, want) {
			t.Errorf("stretched %v: % x, want % x", stretch, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.tif")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		f.Add(readFile(f, path))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		size, err := Size(file)
		if err != nil || size.X > 1<<14/size.Y {
			return
		}
		img, err := Decode(context.Background(), file, Options{JPEG: func(_ context.Context, stream []byte, width, height int) (image.Image, error) {
			return image.NewNRGBA(image.Rect(0, 0, width, min(height, len(stream)))), nil
		}})
		if err != nil {
			return
		}
		if b := img.Bounds(); b != image.Rect(0, 0, size.X, size.Y) && b != image.Rect(0, 0, size.Y, size.X) {
			t.Errorf("bounds %v, want the size %v", b, size)
		}
	})
}
