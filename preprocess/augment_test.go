package preprocess

import (
	"bytes"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

func TestAugmentationNames(t *testing.T) {
	c := presets["cifar10"]
	for _, name := range Augmentations() {
		if _, err := c.Augmentation(name); err != nil {
			t.Error(err)
		}
	}
	_, err := c.Augmentation("randaugment")
	wantInvalid(t, err, "none, classic, largescale")
	_, err = Config{}.Augmentation("none")
	wantInvalid(t, err, "pre_size")
}

func TestAugmentNoneIsCrop(t *testing.T) {
	c := presets["cifar10"]
	img := decodeFile(t, "testdata/formats/rgb.png")
	augment, err := c.Augmentation("none")
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]uint8, c.CropLen())
	augment(dst, img, nil)
	if !bytes.Equal(dst, c.Crop(img)) {
		t.Error("not the crop")
	}
}

// TestAugmentClassic: every result is one of the 2·81 flipped and shifted
// versions of the crop, and all of these occur.
func TestAugmentClassic(t *testing.T) {
	c := Config{PreSize: 8, ImageSize: 8, Std: [3]float64{1, 1, 1}}
	img := decodeFile(t, "testdata/formats/rgb.png")
	augment, err := c.Augmentation("classic")
	if err != nil {
		t.Fatal(err)
	}
	crop := c.Crop(img)
	const draws = 8100
	count := map[string]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	dst := make([]uint8, c.CropLen())
	for range draws {
		augment(dst, img, rng)
		count[string(dst)]++
	}
	for _, flip := range []bool{false, true} {
		for dy := -padding; dy <= padding; dy++ {
			for dx := -padding; dx <= padding; dx++ {
				version := string(paddedCrop(crop, c.ImageSize, flip, dx, dy))
				if n := count[version]; n < 20 || n > 90 { // 50 expected, 7 the standard deviation
					t.Errorf("flip %v, shift %d,%d occurs %d times in %d", flip, dx, dy, n, draws)
				}
				delete(count, version)
			}
		}
	}
	if len(count) != 0 {
		t.Errorf("%d results are no flipped and shifted crop", len(count))
	}
}

// paddedCrop is the definition, pixel by pixel.
func paddedCrop(crop []uint8, size int, flip bool, dx, dy int) []uint8 {
	out := make([]uint8, len(crop))
	for y := range size {
		for x := range size {
			sx, sy := x+dx, y+dy
			if sx < 0 || sx >= size || sy < 0 || sy >= size {
				continue
			}
			if flip {
				sx = size - 1 - sx
			}
			copy(out[(y*size+x)*3:][:3], crop[(sy*size+sx)*3:])
		}
	}
	return out
}

func TestShiftBeyondSmallImage(t *testing.T) {
	dst := []uint8{9, 9, 9}
	shift(dst, []uint8{1, 2, 3}, 1, 3, -2)
	if !bytes.Equal(dst, []uint8{0, 0, 0}) {
		t.Errorf("pixels %v, want black", dst)
	}
}

// TestRandomBox checks the limits, and the means against 400,000 draws of a
// transcription of torchvision's algorithm to plain Python.
func TestRandomBox(t *testing.T) {
	bounds := image.Rect(10, 20, 410, 320)
	rng := rand.New(rand.NewPCG(3, 4))
	const draws = 20_000
	meanArea, wide := 0.0, 0
	for range draws {
		box := randomBox(bounds, minArea, rng)
		if box.Empty() || !box.In(bounds) {
			t.Fatalf("box %v of %v", box, bounds)
		}
		area := float64(box.Dx()*box.Dy()) / float64(400*300)
		ratio := float64(box.Dx()) / float64(box.Dy())
		if area < minArea-0.005 || ratio < minRatio-0.02 || ratio > maxRatio+0.02 {
			t.Fatalf("box %v: area %.3f, ratio %.3f", box, area, ratio)
		}
		meanArea += area / draws
		if ratio > 1 {
			wide++
		}
	}
	if math.Abs(meanArea-0.4330) > 0.006 {
		t.Errorf("mean area %.4f, want 0.4330", meanArea)
	}
	if share := float64(wide) / draws; math.Abs(share-0.5761) > 0.012 {
		t.Errorf("%.4f of boxes are wide, want 0.5761", share)
	}
}

// TestRandomBoxFallback: no box of an allowed ratio and area fits a sliver.
func TestRandomBoxFallback(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, test := range []struct{ bounds, want image.Rectangle }{
		{image.Rect(0, 0, 1000, 10), image.Rect(493, 0, 506, 10)}, // 10·4/3 = 13 wide
		{image.Rect(5, 5, 15, 1005), image.Rect(5, 498, 15, 511)}, // likewise high, at 493
		{image.Rect(0, 0, 1, 100), image.Rect(0, 49, 1, 50)},
	} {
		if got := randomBox(test.bounds, minArea, rng); got != test.want {
			t.Errorf("box of %v is %v, want %v", test.bounds, got, test.want)
		}
	}
}

// TestAugmentLargescale: of an image of one colour, any crop has that colour; of
// a gradient from left to right, about half are flipped.
func TestAugmentLargescale(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 48))
	for i := range 64 * 48 {
		copy(img.Pix[4*i:], []uint8{uint8(4 * (i % 64)), 7, 250, 255})
	}
	c := Config{PreSize: 32, ImageSize: 16, Std: [3]float64{1, 1, 1}}
	augment, err := c.Augmentation("largescale")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	dst := make([]uint8, c.CropLen())
	flipped := 0
	for range 400 {
		augment(dst, img, rng)
		if dst[0] > dst[15*3] {
			flipped++
		}
		for i := 0; i < len(dst); i += 3 {
			if dst[i+1] != 7 || dst[i+2] != 250 {
				t.Fatalf("pixel %d is %v", i/3, dst[i:i+3])
			}
		}
	}
	if flipped < 160 || flipped > 240 {
		t.Errorf("%d of 400 are flipped", flipped)
	}
}

// TestAugmentAllocatesNoPixels: memory is used again, whatever the image's kind.
func TestAugmentAllocatesNoPixels(t *testing.T) {
	c := presets["waterbirds"]
	dst := make([]uint8, c.CropLen())
	rng := rand.New(rand.NewPCG(11, 12))
	for _, file := range []string{"crops/photo-420-400x300.jpg", "crops/gray-150x131.png", "crops/rgb-small-75x60.png"} {
		img, err := Reading{}.DecodeFile(t.Context(), "testdata/"+file, DefaultMaxPixels)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range Augmentations() {
			augment, err := c.Augmentation(name)
			if err != nil {
				t.Fatal(err)
			}
			// The race detector lets pools lose things.
			if n := testing.AllocsPerRun(5, func() { augment(dst, img, rng) }); n > 15 {
				t.Errorf("%s of %s: %.0f allocations", name, file, n)
			}
		}
	}
}

// wantInvalid checks that err is ascood.Invalid and contains the text.
func wantInvalid(t *testing.T, err error, text string) {
	t.Helper()
	if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want an error of code %s that says %q", err, ascood.Invalid, text)
	}
}
