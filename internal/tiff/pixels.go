package tiff

import (
	"image"
	"math"
)

// pixels makes an image of unpacked rows.
type pixels interface {
	// put takes the part of a row, or of a row of blocks, that begins at x, y and is width
	// pixels wide. The row may be longer.
	put(row []byte, plane, x, y, width int) error
	// finish is called once, after all rows.
	finish() image.Image
}

func newPixels(p *page, opt Options) pixels {
	bounds := image.Rect(0, 0, p.width, p.height)
	switch {
	case p.photometric == ycbcr && p.compression != jpeg:
		return &ycbcrPixels{p, image.NewNRGBA(bounds)}
	case p.colours > 1:
		return &colourPixels{p, image.NewNRGBA(bounds)}
	case p.photometric == palette:
		return &palettePixels{p, image.NewNRGBA(bounds)}
	case p.format == unsigned && (p.bits == 12 || p.bits == 16):
		return &deepGrayPixels{p, image.NewGray16(bounds), opt.Stretch && p.bits == 12}
	}
	return &grayPixels{p, image.NewGray(bounds), p.grayLevel()}
}

// step is the number of samples from one pixel of a row to the next.
func (p *page) step() int {
	if p.planar {
		return 1
	}
	return p.samples
}

// sample is sample i of a row whose samples have at most 16 bits.
func (p *page) sample(row []byte, i int) uint16 {
	switch p.bits {
	case 8:
		return uint16(row[i])
	case 16:
		return p.order.Uint16(row[2*i:])
	case 12: // two samples in three bytes
		at := i * 3 / 2
		if i%2 == 0 {
			return uint16(row[at])<<4 | uint16(row[at+1])>>4
		}
		return uint16(row[at]&15)<<8 | uint16(row[at+1])
	}
	bit := i * p.bits
	return uint16(row[bit/8]) >> (8 - p.bits - bit%8) & (1<<p.bits - 1)
}

// grayPixels are gray levels of any depth but 12 and 16 bits.
type grayPixels struct {
	*page
	img   *image.Gray
	level func(row []byte, i int) uint8
}

func (g *grayPixels) put(row []byte, plane, x, y, width int) error {
	if plane > 0 {
		return nil
	}
	dst, step := g.img.Pix[y*g.img.Stride+x:][:width], g.step()
	for i := range dst {
		dst[i] = g.level(row, i*step)
	}
	return nil
}

func (g *grayPixels) finish() image.Image { return g.img }

// grayLevel returns how a sample becomes a level. Few bits are stretched to 0…255, and what
// has more range than that is clipped to it, as PIL's conversion does.
func (p *page) grayLevel() func(row []byte, i int) uint8 {
	switch {
	case p.format == float:
		return func(row []byte, i int) uint8 {
			return clipFloat(math.Float32frombits(p.order.Uint32(row[4*i:])))
		}
	case p.bits == 32:
		return func(row []byte, i int) uint8 { return clip(int32(p.order.Uint32(row[4*i:]))) }
	case p.format == signed:
		return func(row []byte, i int) uint8 { return clip(int32(int16(p.order.Uint16(row[2*i:])))) }
	}
	white := uint16(1)<<p.bits - 1
	scale, invert := 255/white, uint16(0)
	if p.photometric == whiteIsZero {
		invert = white
	}
	return func(row []byte, i int) uint8 { return uint8((p.sample(row, i) ^ invert) * scale) }
}

func clip(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

func clipFloat(v float32) uint8 {
	if !(v > 0) { // NaN, too
		return 0
	}
	return uint8(min(v, 255))
}

// deepGrayPixels keep the samples as they are: what becomes of them is for all formats the
// same, and not for this package to say.
type deepGrayPixels struct {
	*page
	img     *image.Gray16
	stretch bool // from 12 bits
}

func (g *deepGrayPixels) put(row []byte, plane, x, y, width int) error {
	if plane > 0 {
		return nil
	}
	dst, step := g.img.Pix[y*g.img.Stride+2*x:], g.step()
	for i := range width {
		v := g.sample(row, i*step)
		if g.stretch {
			v = v<<4 | v>>8
		}
		dst[2*i], dst[2*i+1] = uint8(v>>8), uint8(v)
	}
	return nil
}

func (g *deepGrayPixels) finish() image.Image { return g.img }

// palettePixels are indices of colours.
type palettePixels struct {
	*page
	img *image.NRGBA
}

func (c *palettePixels) put(row []byte, plane, x, y, width int) error {
	if plane > 0 {
		return nil
	}
	dst, step := c.img.Pix[y*c.img.Stride+4*x:], c.step()
	n := len(c.colorMap) / 3
	for i := range width {
		index := int(c.sample(row, i*step))
		if index >= n {
			return damaged("colour %d of a palette of %d", index, n)
		}
		dst[4*i], dst[4*i+1], dst[4*i+2], dst[4*i+3] = c.colorMap[index], c.colorMap[n+index], c.colorMap[2*n+index], 255
	}
	return nil
}

func (c *palettePixels) finish() image.Image { return c.img }
