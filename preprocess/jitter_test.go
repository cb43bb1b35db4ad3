package preprocess

import (
	"bytes"
	"image"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestJitter compares changes of colour with PIL's, bit for bit.
func TestJitter(t *testing.T) {
	files, err := filepath.Glob("testdata/jitter/*.png")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	changes := map[string]func(pix []uint8, by float64){
		"brightness": func(pix []uint8, by float64) { brightness(pix, float32(by)) },
		"contrast":   func(pix []uint8, by float64) { contrast(pix, float32(by)) },
		"saturation": func(pix []uint8, by float64) { saturation(pix, float32(by)) },
		"hue":        hue,
	}
	for _, file := range files {
		name, by, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".png"), "_")
		factor, err := strconv.ParseFloat(by, 64)
		if err != nil {
			t.Fatal(err)
		}
		got, want := rgbOf(t, "testdata/crops/rgb-small-75x60.png"), rgbOf(t, file)
		changes[name](got, factor)
		off, worst := 0, 0
		for i := range want {
			if got[i] != want[i] {
				off++
				worst = max(worst, max(int(got[i])-int(want[i]), int(want[i])-int(got[i])))
			}
		}
		if off > 0 {
			t.Errorf("%s by %v: %d of %d values differ, by up to %d", name, factor, off, len(want), worst)
		}
	}
}

// rgbOf are an image's pixels.
func rgbOf(t *testing.T, file string) []uint8 {
	t.Helper()
	img := decodeFile(t, file)
	var pix []uint8
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			pix = append(pix, uint8(r>>8), uint8(g>>8), uint8(b>>8))
		}
	}
	return pix
}

// TestAugmentContrastive: about one view of five is gray, and views of an image differ.
func TestAugmentContrastive(t *testing.T) {
	c := Config{PreSize: 32, ImageSize: 16, Std: [3]float64{1, 1, 1}}
	img := decodeFile(t, "testdata/crops/rgb-small-75x60.png")
	for _, name := range []string{"contrastive", "contrastive-large"} {
		augment, err := c.Augmentation(name)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(7, 8))
		dst, last := make([]uint8, c.CropLen()), make([]uint8, c.CropLen())
		gray := 0
		for range 500 {
			augment(dst, img, rng)
			if bytes.Equal(dst, last) {
				t.Fatal("two views are alike")
			}
			copy(last, dst)
			colours := 0
			for i := 0; i < len(dst); i += 3 {
				if dst[i] != dst[i+1] || dst[i] != dst[i+2] {
					colours++
				}
			}
			if colours == 0 {
				gray++
			}
		}
		if gray < 70 || gray > 130 {
			t.Errorf("%s: %d of 500 views are gray, want about 100", name, gray)
		}
	}
}

// TestRandomBoxLeast: no crop of the contrastive augmentations is smaller than it may be.
func TestRandomBoxLeast(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	bounds := image.Rect(0, 0, 400, 300)
	for range 2000 {
		if box := randomBox(bounds, 0.4, rng); float64(box.Dx()*box.Dy()) < 0.395*400*300 {
			t.Fatalf("box %v", box)
		}
	}
}
