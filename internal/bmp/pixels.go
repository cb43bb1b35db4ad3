package bmp

import "math/bits"

// mask is where a colour lies in a pixel.
type mask struct {
	shift int
	most  uint32 // the largest value
}

// level stretches a colour to 0…255, rounding down as PIL does.
func (m mask) level(pixel uint32) uint8 {
	return uint8(uint64(pixel>>m.shift&m.most) * 255 / uint64(m.most))
}

// The masks of pixels that come without, by bits.
var defaultMasks = map[int][3]uint32{
	16: {0x7c00, 0x03e0, 0x001f},
	24: {0xff0000, 0xff00, 0xff},
	32: {0xff0000, 0xff00, 0xff},
}

// readMasks takes the masks from the second header and what follows it, where they are in
// the same place whether they are part of it or not.
func (h *header) readMasks(f fields) error {
	masks := defaultMasks[h.bits]
	if h.compression != uncompressed {
		given := [3]uint32{f.uint32(40), f.uint32(44), f.uint32(48)}
		if given != [3]uint32{} {
			masks = given
		}
	}
	for i, m := range masks {
		shift := bits.TrailingZeros32(m)
		most := m >> (shift & 31)
		if m == 0 || most&(most+1) != 0 || h.bits < 32 && m>>h.bits != 0 {
			return damaged("the mask %#x for a colour of a pixel of %d bits", m, h.bits)
		}
		h.masks[i] = mask{shift, most}
	}
	return nil
}

// colour writes a row as opaque RGBA.
func (h *header) colour(dst, row []byte) {
	if h.bits <= 8 {
		h.lookUp(dst, row)
		return
	}
	size := h.bits / 8
	for x := range h.width {
		var pixel uint32
		for i := range size {
			pixel |= uint32(row[x*size+i]) << (8 * i)
		}
		for i, m := range h.masks {
			dst[4*x+i] = m.level(pixel)
		}
		dst[4*x+3] = 255
	}
}

// lookUp is colour for indices of the palette. What it lacks is black.
func (h *header) lookUp(dst, row []byte) {
	for x := range h.width {
		bit := x * h.bits
		index := row[bit/8] >> (8 - h.bits - bit%8) & (1<<h.bits - 1)
		copy(dst[4*x:4*x+3], h.palette[index][:])
		dst[4*x+3] = 255
	}
}
