package preprocess

import (
	"bytes"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
)

// TestRowsOfAPart: what a part of an image looks like does not depend on the part.
func TestRowsOfAPart(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	noise := func(n int) []uint8 {
		b := make([]uint8, n)
		for i := range b {
			b[i] = uint8(rng.IntN(256))
		}
		return b
	}
	for _, size := range []image.Rectangle{image.Rect(0, 0, 1, 1), image.Rect(0, 0, 2, 5), image.Rect(0, 0, 5, 3), image.Rect(0, 0, 12, 9), image.Rect(0, 0, 17, 16)} {
		nrgba, gray := image.NewNRGBA(size), image.NewGray(size)
		nrgba.Pix, gray.Pix = noise(len(nrgba.Pix)), noise(len(gray.Pix))
		for _, img := range []image.Image{nrgba, gray} {
			whole := pixelsOf(img)
			var reader rowReader // used again and again, as in a resampler
			for range 50 {
				x, y := rng.IntN(size.Dx()), rng.IntN(size.Dy())
				part := image.Rect(x, y, x+1+rng.IntN(size.Dx()-x), y+1+rng.IntN(size.Dy()-y))
				source := reader.open(img, part)
				for y := part.Min.Y; y < part.Max.Y; y++ {
					want := whole.Pix[whole.PixOffset(part.Min.X, y):][:part.Dx()*4]
					if got := source.row(y); !bytes.Equal(got, want) {
						t.Fatalf("%T of %v: row %d of %v is %v, want %v", img, size, y, part, got, want)
					}
				}
			}
		}
	}
}

// TestRowsOfForeignImages: images that no decoder here makes are drawn.
func TestRowsOfForeignImages(t *testing.T) {
	palette := image.NewPaletted(image.Rect(3, 4, 5, 5), color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{4, 5, 6, 255}})
	palette.Pix[1] = 1
	moved := image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420)
	for i := range moved.Y {
		moved.Y[i] = uint8(i)
	}
	for i := range moved.Cb {
		moved.Cb[i], moved.Cr[i] = 128, 128
	}
	for _, test := range []struct {
		img  image.Image
		want []uint8 // the first two pixels
	}{
		{palette, []uint8{1, 2, 3, 255, 4, 5, 6, 255}},
		{moved.SubImage(image.Rect(3, 1, 8, 8)), []uint8{11, 11, 11, 255, 12, 12, 12, 255}},
	} {
		bounds := test.img.Bounds()
		if got := new(rowReader).open(test.img, bounds).row(bounds.Min.Y)[:8]; !bytes.Equal(got, test.want) {
			t.Errorf("%T: pixels %v, want %v", test.img, got, test.want)
		}
	}
}
