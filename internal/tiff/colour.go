package tiff

import (
	"encoding/binary"
	"image"
)

// colourPixels are RGB and CMYK. Their samples are collected as they are stored, of 16 bits
// the upper 8, and become colours when all planes are there.
type colourPixels struct {
	*page
	img *image.NRGBA
}

func (c *colourPixels) put(row []byte, plane, x, y, width int) error {
	dst := c.img.Pix[y*c.img.Stride+4*x:][:4*width]
	bytes := c.bits / 8
	upper := 0 // the place of the upper byte
	if bytes == 2 && c.order == binary.LittleEndian {
		upper = 1
	}
	if c.planar {
		for i := range width {
			dst[4*i+plane] = row[i*bytes+upper]
		}
		return nil
	}
	step, needed := c.samples*bytes, c.needed()
	for i := range width {
		pixel := row[i*step+upper : (i+1)*step]
		for j := range needed {
			dst[4*i+j] = pixel[j*bytes]
		}
	}
	return nil
}

func (c *colourPixels) finish() image.Image {
	pix := c.img.Pix
	for i := 0; i < len(pix); i += 4 {
		pixel := pix[i : i+4 : i+4]
		switch {
		case c.photometric == cmyk:
			fromCMYK(pixel)
		case c.associated:
			divideByAlpha(pixel)
		}
		pixel[3] = 255
	}
	return c.img
}

// fromCMYK is PIL's conversion: each ink takes its share of what black leaves.
func fromCMYK(pixel []byte) {
	rest := 255 - int(pixel[3])
	for i, ink := range pixel[:3] {
		product := int(ink)*rest + 128
		pixel[i] = clip(int32(rest - (product+product>>8)>>8))
	}
}

// divideByAlpha also serves files whose colour was not multiplied with alpha, against what
// they say: it is clipped then.
func divideByAlpha(pixel []byte) {
	alpha := int32(pixel[3])
	if alpha == 0 || alpha == 255 {
		return
	}
	for i, v := range pixel[:3] {
		pixel[i] = clip(int32(v) * 255 / alpha)
	}
}
