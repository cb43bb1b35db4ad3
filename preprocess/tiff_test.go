package preprocess

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ascood/ascood"
)

// TestDecodeJPEGInTIFF compares with PIL, bit for bit.
func TestDecodeJPEGInTIFF(t *testing.T) {
	paths, err := filepath.Glob("../internal/tiff/testdata/jpeg-*.tif")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 8 {
		t.Errorf("%d files, want 8", len(paths))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got, want := decodeFile(t, path), decodeFile(t, path+".png")
			if got.Rect != want.Rect {
				t.Fatalf("bounds %v, want %v", got.Rect, want.Rect)
			}
			if worst, share := difference(got.Pix, want.Pix); worst > 0 {
				t.Errorf("values differ by up to %d levels (%.1f%% of them)", worst, 100*share)
			}
		})
	}
}

// TestDecodeOfOwnFormats: TIFF and BMP come to the decoders of this module, with the limit.
func TestDecodeOfOwnFormats(t *testing.T) {
	for _, path := range []string{"../internal/tiff/testdata/orientation-6.tif", "../internal/bmp/testdata/24-header-40.bmp"} {
		file := testFile(t, path)
		if got, want := decodeFile(t, path), decodeFile(t, path+".png"); !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%s: other pixels than PIL's", path)
		}
		if _, err := (Reading{}).Decode(t.Context(), file, 11*19-1); ascood.CodeOf(err) != ascood.TooLarge {
			t.Errorf("%s: got %v for a pixel too many, want %s", path, err, ascood.TooLarge)
		}
		if _, err := (Reading{}).Decode(t.Context(), file[:len(file)-30], DefaultMaxPixels); ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("%s: got %v for a file that is cut off, want %s", path, err, ascood.Invalid)
		}
	}
}

// TestScaledGray: of 12 bits the upper 8 are kept, as of 16; clipped ones are as dark as
// they are.
func TestScaledGray(t *testing.T) {
	levels := func(how Reading, name string) []uint8 {
		img, err := how.DecodeFile(t.Context(), "../internal/tiff/testdata/"+name, DefaultMaxPixels)
		if err != nil {
			t.Fatal(err)
		}
		return img.(*image.Gray).Pix
	}
	for name, shift := range map[string]int{"gray-12.tif": 4, "gray-16-big.tif": 8} {
		scaled := levels(Reading{Gray16: Scale}, name)
		for i, v := range levels(Reading{}, name) {
			if v < 255 && scaled[i] != v>>shift {
				t.Fatalf("%s: pixel %d is %d, scaled %d", name, i, v, scaled[i])
			}
		}
		if most := slices.Max(scaled); int(most) <= 255>>shift {
			t.Errorf("%s: the lightest pixel is %d, as if it had been clipped before", name, most)
		}
	}
}

// TestStripOfAnotherSize: a JPEG stream may not be larger than the strip that it is.
func TestStripOfAnotherSize(t *testing.T) {
	stream, err := os.ReadFile("testdata/formats/gray.jpg") // 41 x 30
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{41, 29}, {40, 30}, {42, 30}} {
		if _, err := decodeStrip(t.Context(), stream, size[0], size[1]); ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("%v: got %v, want %s", size, err, ascood.Invalid)
		}
	}
	if _, err := decodeStrip(t.Context(), stream, 41, 32); err != nil {
		t.Error(err)
	}
}
