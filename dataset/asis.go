package dataset

import (
	"hash"
	"image"
	"io"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// asIs is a dataset of images that are crops already.
type asIs struct{ Dataset }

// AsIs returns the images of d as ones that are neither resized nor cropped, as those of
// ImageNet-C are. Batches takes them for its crops, of whose size they must be.
func AsIs(d Dataset) Dataset { return asIs{d} }

func (a asIs) IsCrop(int) bool   { return true }
func (a asIs) File(i int) string { return fileOf(a.Dataset, i) }

func (a asIs) Digest(h hash.Hash, picked []int) error {
	io.WriteString(h, "as they are ") // a hash takes all
	return digest(h, a.Dataset, picked)
}

// isCrop reports whether an image is to be taken as it is.
func isCrop(d Dataset, i int) bool {
	c, ok := d.(Cropped)
	return ok && c.IsCrop(i)
}

// takeCrop writes to dst an image that is a crop of the configuration's size.
func takeCrop(dst []uint8, img image.Image, name string, c preprocess.Config) error {
	if size := img.Bounds().Size(); size != image.Pt(c.ImageSize, c.ImageSize) {
		return ascood.Errorf(ascood.Invalid, "%s has %dx%d pixels: the images of its set are taken as they are, and the network sees %dx%d",
			name, size.X, size.Y, c.ImageSize, c.ImageSize)
	}
	c.PreSize = c.ImageSize
	c.CropInto(dst, img)
	return nil
}
