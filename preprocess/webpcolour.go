package preprocess

import "image"

// fromWebP converts the planes of a lossy WebP to RGB as libwebp does, to the bit. Each
// chroma sample is shared by 2x2 pixels; between samples it is interpolated ("fancy
// upsampling").
func fromWebP(img *image.YCbCr) *image.NRGBA {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	across, down := (width+1)/2, (height+1)/2
	dst := image.NewNRGBA(image.Rect(0, 0, width, height))
	cb, cr := newChroma(across), newChroma(across)
	for y := range height {
		near, second := y/2, min(max(y/2+y%2*2-1, 0), down-1)
		at := func(plane []uint8, row int) []uint8 { return plane[row*img.CStride:][:across] }
		cb.widen(at(img.Cb, near), at(img.Cb, second))
		cr.widen(at(img.Cr, near), at(img.Cr, second))
		videoRange(dst.Pix[y*dst.Stride:], img.Y[y*img.YStride:][:width], cb.wide, cr.wide)
	}
	return dst
}

// chroma is scratch memory for rows of a chroma plane.
type chroma struct {
	sums []int32 // of two rows, with the edges repeated
	wide []uint8
}

func newChroma(across int) *chroma {
	return &chroma{make([]int32, across+2), make([]uint8, 2*across)}
}

// widen makes the samples for a row of pixels: along each axis a sample is 3/4 its
// nearest and 1/4 its second nearest.
func (c *chroma) widen(near, second []uint8) {
	last := len(near)
	for i, v := range near {
		c.sums[i+1] = 3*int32(v) + int32(second[i])
	}
	c.sums[0], c.sums[last+1] = c.sums[1], c.sums[last]
	for i := range near {
		here := 3*c.sums[i+1] + 8
		c.wide[2*i] = uint8((here + c.sums[i]) >> 4)
		c.wide[2*i+1] = uint8((here + c.sums[i+2]) >> 4)
	}
}

// videoRange converts a row by BT.601 at video range, 16 to 235. libwebp has 14 bits
// behind the point and drops 8 of them from each product.
func videoRange(dst, luma, cb, cr []uint8) {
	level := func(v int32) uint8 { return uint8(min(max(v>>6, 0), 255)) }
	for x, v := range luma {
		y, u, v := int32(v)*19077>>8, int32(cb[x]), int32(cr[x])
		d := dst[x*4 : x*4+4 : x*4+4]
		d[0] = level(y + v*26149>>8 - 14234)
		d[1] = level(y - u*6419>>8 - v*13320>>8 + 8708)
		d[2] = level(y + u*33050>>8 - 17685)
		d[3] = 0xff
	}
}
