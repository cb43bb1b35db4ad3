package preprocess

import (
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/ascood/ascood"
)

// Augment writes the crop of an image, RGB [ImageSize,ImageSize,3], to dst. What
// is random about it comes from rng alone.
type Augment func(dst []uint8, img image.Image, rng *rand.Rand)

// Augmentations are the names that Config.Augmentation knows.
func Augmentations() []string {
	return []string{"none", "classic", "largescale", "contrastive", "contrastive-large"}
}

// Augmentation returns a transformation by name: "none" is Crop; "classic", of
// the CIFAR sets, is Crop, a horizontal flip of every other image, and a random
// crop after padding with 4 black pixels; "largescale", of photographs, is a
// random resized crop (8 to 100% of the area, sides 3:4 to 4:3) and the flip; "contrastive"
// and "contrastive-large", for methods that compare two views of an image, are random
// resized crops (20 and 40 to 100%), the flip, colours changed in four images of five and
// taken off in one of five.
// Another name is ascood.Invalid.
func (c Config) Augmentation(name string) (Augment, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch name {
	case "none":
		return func(dst []uint8, img image.Image, _ *rand.Rand) { c.CropInto(dst, img) }, nil
	case "classic":
		return c.classic(), nil
	case "largescale":
		return func(dst []uint8, img image.Image, rng *rand.Rand) { c.randomCrop(dst, img, minArea, rng) }, nil
	case "contrastive":
		return func(dst []uint8, img image.Image, rng *rand.Rand) { c.contrastive(dst, img, 0.2, rng) }, nil
	case "contrastive-large":
		return func(dst []uint8, img image.Image, rng *rand.Rand) { c.contrastive(dst, img, 0.4, rng) }, nil
	}
	return nil, ascood.Errorf(ascood.Invalid, "unknown augmentation %q; known are %s",
		name, strings.Join(Augmentations(), ", "))
}

// padding is the border in pixels that the classic random crop may reach into.
const padding = 4

func (c Config) classic() Augment {
	scratch := sync.Pool{New: func() any { b := make([]uint8, c.CropLen()); return &b }}
	return func(dst []uint8, img image.Image, rng *rand.Rand) {
		crop := scratch.Get().(*[]uint8)
		defer scratch.Put(crop)
		c.CropInto(*crop, img)
		if rng.IntN(2) == 1 {
			mirror(*crop, c.ImageSize)
		}
		dy, dx := rng.IntN(2*padding+1)-padding, rng.IntN(2*padding+1)-padding
		shift(dst, *crop, c.ImageSize, dx, dy)
	}
}

// shift copies the size x size image src to dst so that dst(x, y) = src(x+dx,
// y+dy), black where that lies outside.
func shift(dst, src []uint8, size, dx, dy int) {
	clear(dst)
	from, to := max(0, dx), min(size, size+dx)
	if from >= to {
		return
	}
	for y := max(0, -dy); y < min(size, size-dy); y++ {
		copy(dst[(y*size+from-dx)*3:], src[((y+dy)*size+from)*3:((y+dy)*size+to)*3])
	}
}

// mirror flips the rows of a size x size image.
func mirror(pix []uint8, size int) {
	for y := range size {
		row := pix[y*size*3:][:size*3]
		for i, j := 0, len(row)-3; i < j; i, j = i+3, j-3 {
			row[i], row[j] = row[j], row[i]
			row[i+1], row[j+1] = row[j+1], row[i+1]
			row[i+2], row[j+2] = row[j+2], row[i+2]
		}
	}
}

// randomCrop is a random resized crop of at least that share of the image's area, and the
// flip.
func (c Config) randomCrop(dst []uint8, img image.Image, least float64, rng *rand.Rand) {
	box := randomBox(img.Bounds(), least, rng)
	size := image.Pt(c.ImageSize, c.ImageSize)
	resize(dst, c.ImageSize*3, img, box, size, image.Rectangle{Max: size}, c.Interpolation)
	if rng.IntN(2) == 1 {
		mirror(dst, c.ImageSize)
	}
}

// The random resized crop's limits, as published.
const (
	minArea, maxArea   = 0.08, 1.0
	minRatio, maxRatio = 3.0 / 4, 4.0 / 3
)

// randomBox draws a box of random area, at least that share, and aspect ratio within bounds, as
// torchvision's RandomResizedCrop does: ten attempts, then the largest central
// box of an allowed ratio.
func randomBox(bounds image.Rectangle, least float64, rng *rand.Rand) image.Rectangle {
	width, height := bounds.Dx(), bounds.Dy()
	for range 10 {
		area := float64(width) * float64(height) * (least + (maxArea-least)*rng.Float64())
		ratio := math.Exp(math.Log(minRatio) + (math.Log(maxRatio)-math.Log(minRatio))*rng.Float64())
		w := int(math.RoundToEven(math.Sqrt(area * ratio)))
		h := int(math.RoundToEven(math.Sqrt(area / ratio)))
		if 0 < w && w <= width && 0 < h && h <= height {
			y, x := rng.IntN(height-h+1), rng.IntN(width-w+1)
			return image.Rect(x, y, x+w, y+h).Add(bounds.Min)
		}
	}
	w, h := width, height
	switch ratio := float64(width) / float64(height); {
	case ratio < minRatio:
		h = int(math.RoundToEven(float64(w) / minRatio))
	case ratio > maxRatio:
		w = int(math.RoundToEven(float64(h) * maxRatio))
	}
	x, y := (width-w)/2, (height-h)/2
	return image.Rect(x, y, x+w, y+h).Add(bounds.Min)
}
