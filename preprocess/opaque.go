package preprocess

import (
	"encoding/binary"
	"image"
	"image/color"

	"github.com/ascood/ascood"
)

// opaque converts a decoded image to one of the kinds that Decode returns,
// keeping the colour of transparent pixels as stored. It may reuse the image's
// memory.
func (how Reading) opaque(img image.Image) (image.Image, error) {
	switch img := img.(type) {
	case *image.NRGBA:
		setOpaque(img.Pix)
		return img, nil
	case *image.RGBA:
		if img.Opaque() { // the same bytes in either model
			return (*image.NRGBA)(img), nil
		}
	case *image.Gray:
		return img, nil
	case *image.Gray16:
		return how.Gray16.convert(img), nil
	case *image.CMYK:
		return fromCMYK(img), nil
	case *image.NRGBA64:
		return fromNRGBA64(img), nil
	case *image.Paletted:
		return fromPaletted(img)
	}
	return fromPremultiplied(img)
}

// convert makes 8 bits of 16.
func (g Gray16) convert(img *image.Gray16) *image.Gray {
	dst := image.NewGray(img.Rect)
	width := img.Rect.Dx()
	for y := range img.Rect.Dy() {
		src := img.Pix[y*img.Stride:][:2*width]
		for x := range width {
			v := src[2*x]
			if v != 0 && g == Clip {
				v = 0xff
			} else if g == Clip {
				v = src[2*x+1]
			}
			dst.Pix[y*dst.Stride+x] = v
		}
	}
	return dst
}

// fromCMYK converts in place, as PIL does.
func fromCMYK(img *image.CMYK) *image.NRGBA {
	for i := 0; i+4 <= len(img.Pix); i += 4 {
		p := img.Pix[i : i+4 : i+4]
		white := 255 - uint32(p[3])
		for c, ink := range p[:3] {
			product := uint32(ink)*white + 128
			p[c] = uint8(white - (product+product>>8)>>8)
		}
		p[3] = 0xff
	}
	return &image.NRGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
}

// setOpaque makes all pixels opaque, two at a time.
func setOpaque(pix []uint8) {
	for ; len(pix) >= 8; pix = pix[8:] {
		binary.LittleEndian.PutUint64(pix, binary.LittleEndian.Uint64(pix)|0xff000000_ff000000)
	}
	if len(pix) >= 4 {
		pix[3] = 0xff
	}
}

// expandGray writes each gray level as an opaque pixel.
func expandGray(dst, gray []uint8) {
	for x, v := range gray {
		d := dst[x*4 : x*4+4 : x*4+4]
		d[0], d[1], d[2], d[3] = v, v, v, 0xff
	}
}

func fromNRGBA64(img *image.NRGBA64) *image.NRGBA {
	dst := image.NewNRGBA(img.Rect)
	width := img.Rect.Dx()
	for y := range img.Rect.Dy() {
		src := img.Pix[y*img.Stride:][:width*8]
		row := dst.Pix[y*dst.Stride:][:width*4]
		for x := range width {
			s, d := src[x*8:x*8+8:x*8+8], row[x*4:x*4+4:x*4+4]
			d[0], d[1], d[2], d[3] = s[0], s[2], s[4], 0xff
		}
	}
	return dst
}

func fromPaletted(img *image.Paletted) (*image.NRGBA, error) {
	var palette [256][4]uint8
	for i, c := range img.Palette[:min(len(img.Palette), 256)] {
		palette[i] = straight(c)
	}
	dst := image.NewNRGBA(img.Rect)
	width := img.Rect.Dx()
	for y := range img.Rect.Dy() {
		row := dst.Pix[y*dst.Stride:][:width*4]
		for x, index := range img.Pix[y*img.Stride:][:width] {
			if int(index) >= len(img.Palette) {
				return nil, ascood.Errorf(ascood.Invalid, "damaged image: colour %d of a palette of %d", index, len(img.Palette))
			}
			copy(row[x*4:x*4+4], palette[index][:])
		}
	}
	return dst, nil
}

// straight is a colour without its alpha.
func straight(c color.Color) [4]uint8 {
	if c, ok := c.(color.NRGBA); ok {
		return [4]uint8{c.R, c.G, c.B, 0xff}
	}
	r, g, b, a := c.RGBA()
	return unmultiply(r, g, b, a)
}

// unmultiply divides 16-bit colour by its alpha and keeps the upper 8 bits.
func unmultiply(r, g, b, a uint32) [4]uint8 {
	if a == 0 {
		return [4]uint8{0, 0, 0, 0xff}
	}
	return [4]uint8{uint8(r * 0xffff / a >> 8), uint8(g * 0xffff / a >> 8), uint8(b * 0xffff / a >> 8), 0xff}
}

// fromPremultiplied serves the rarer models: 16-bit colour and images whose
// colour was stored multiplied with alpha.
func fromPremultiplied(img image.Image) (*image.NRGBA, error) {
	src, ok := img.(image.RGBA64Image)
	if !ok {
		return nil, ascood.Errorf(ascood.Unsupported, "images of colour model %T are not handled", img)
	}
	bounds := img.Bounds()
	dst := image.NewNRGBA(bounds)
	i := 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := src.RGBA64At(x, y)
			p := unmultiply(uint32(c.R), uint32(c.G), uint32(c.B), uint32(c.A))
			copy(dst.Pix[i:i+4], p[:])
			i += 4
		}
	}
	return dst, nil
}
