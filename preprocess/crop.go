package preprocess

import (
	"image"
	"math"
)

// Crop is the deterministic path of evaluation and serving: the image's shorter
// side is resized to PreSize, the longer to int(PreSize·longer/shorter) or to PreSize
// too, and the centre cut out, with black around it where the crop is larger. The
// result is RGB, row-major [ImageSize,ImageSize,3].
//
// Of an image that Decode made only the part is converted to RGB that the crop
// shows.
func (c Config) Crop(img image.Image) []uint8 {
	dst := make([]uint8, c.CropLen())
	c.CropInto(dst, img)
	return dst
}

// CropInto writes what Crop returns to dst [ImageSize,ImageSize,3].
func (c Config) CropInto(dst []uint8, img image.Image) {
	bounds := img.Bounds()
	size := c.resized(bounds.Dx(), bounds.Dy())
	x, y := centre(size.X, c.ImageSize), centre(size.Y, c.ImageSize)
	crop := image.Rect(x, y, x+c.ImageSize, y+c.ImageSize)
	window := crop.Intersect(image.Rectangle{Max: size})
	if window != crop {
		clear(dst)
	}
	stride := c.ImageSize * 3
	corner := window.Min.Sub(crop.Min)
	resize(dst[corner.Y*stride+corner.X*3:], stride, img, bounds, size, window, c.Interpolation)
}

// resized is the size after resizing.
func (c Config) resized(width, height int) image.Point {
	if c.Resize == ResizeSquash {
		return image.Pt(c.PreSize, c.PreSize)
	}
	if width <= height {
		return image.Pt(c.PreSize, c.PreSize*height/width)
	}
	return image.Pt(c.PreSize*width/height, c.PreSize)
}

// centre is where a crop of the given size begins in side pixels; below 0 where
// it begins before them. Halves go to even numbers, as Python rounds.
func centre(side, size int) int {
	if side < size {
		return -((size - side) / 2)
	}
	return int(math.RoundToEven(float64(side-size) / 2))
}
