package preprocess

import (
	"image"
	"image/draw"
)

// rows reads a part of an image a row at a time, so that only what a crop shows is
// converted to RGB.
type rows interface {
	// row returns row y of the part as RGBA, valid until the next call. What
	// alpha says does not matter.
	row(y int) []uint8
}

// rowReader is the scratch memory of the different rows.
type rowReader struct {
	rgba rgbaRows
	gray grayRows
}

// open returns the rows of a part of an image.
func (r *rowReader) open(img image.Image, part image.Rectangle) rows {
	switch img := img.(type) {
	case *image.NRGBA:
		r.rgba = rgbaRows{img, part}
		return &r.rgba
	case *image.Gray:
		r.gray.reset(img, part)
		return &r.gray
	}
	// No decoder's image.
	flat := image.NewNRGBA(img.Bounds())
	draw.Draw(flat, flat.Rect, img, flat.Rect.Min, draw.Src)
	r.rgba = rgbaRows{flat, part}
	return &r.rgba
}

type rgbaRows struct {
	img  *image.NRGBA
	part image.Rectangle
}

func (r *rgbaRows) row(y int) []uint8 {
	return r.img.Pix[r.img.PixOffset(r.part.Min.X, y):][:r.part.Dx()*4]
}

type grayRows struct {
	img    *image.Gray
	part   image.Rectangle
	pixels []uint8
}

func (r *grayRows) reset(img *image.Gray, part image.Rectangle) {
	r.img, r.part = img, part
	r.pixels = grow(r.pixels, part.Dx()*4)
}

func (r *grayRows) row(y int) []uint8 {
	expandGray(r.pixels, r.img.Pix[r.img.PixOffset(r.part.Min.X, y):][:r.part.Dx()])
	return r.pixels
}
