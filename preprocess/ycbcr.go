package preprocess

import "image"

// Go's decoders leave the conversion of YCbCr to the image's user, and
// image/draw repeats each chroma sample over its pixels. The JPEG and WebP
// libraries interpolate between samples, and so does this file, with the
// weights of libjpeg's "fancy upsampling": libjpeg decoded the images that the
// published networks were trained on.

// toRGB is a linear conversion in 16-bit fixed point. The constants include the
// offset of chroma and one half for rounding.
type toRGB struct {
	y, rCr, gCb, gCr, bCb int32
	r, g, b               int32
}

const half = 1 << 15

// jfif is JPEG's conversion, BT.601 at full range.
var jfif = toRGB{
	y: 1 << 16, rCr: 91881, gCb: -22554, gCr: -46802, bCb: 116130,
	r: half - 128*91881, g: half + 128*(22554+46802), b: half - 128*116130,
}

// vp8 is WebP's conversion, BT.601 at video range (16 to 235), with libwebp's
// 14-bit constants.
var vp8 = toRGB{
	y: 4 * 19077, rCr: 4 * 26149, gCb: -4 * 6419, gCr: -4 * 13320, bCb: 4 * 33050,
	r: -1024 * 14234, g: 1024 * 8708, b: -1024 * 17685,
}

// convert returns the pixels of an image whose bounds begin at 0, as decoders make them.
func (k *toRGB) convert(img *image.YCbCr) *image.NRGBA {
	dst := image.NewNRGBA(img.Rect)
	width, height := img.Rect.Dx(), img.Rect.Dy()
	cb, cr := newUpsampler(img, img.Cb), newUpsampler(img, img.Cr)
	for y := range height {
		k.row(dst.Pix[y*dst.Stride:][:width*4], img.Y[y*img.YStride:][:width], cb.row(y), cr.row(y))
	}
	return dst
}

// row converts the pixels of a row; cb and cr have at least as many samples.
func (k *toRGB) row(dst, luma, cb, cr []uint8) {
	c := *k
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	for x, v := range luma {
		y, u, v := int32(v)*c.y, int32(cb[x]), int32(cr[x])
		d := dst[x*4 : x*4+4 : x*4+4]
		d[0] = clamp((y + c.rCr*v + c.r) >> 16)
		d[1] = clamp((y + c.gCb*u + c.gCr*v + c.g) >> 16)
		d[2] = clamp((y + c.bCb*u + c.b) >> 16)
		d[3] = 0xff
	}
}

// clamp limits v to 0..255. Almost every v is within, so that a branch on both
// limits at once costs least.
func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		v = ^(v >> 31) // 0 below, all ones above
	}
	return uint8(v)
}

// upsampler brings a chroma plane to the size of the luma plane, a row at a time.
type upsampler struct {
	plane         []uint8
	stride        int
	width, height int     // of the plane
	across, down  int     // luma samples for each chroma sample
	sums          []int32 // a row before it is widened
	wide          []uint8
}

func newUpsampler(img *image.YCbCr, plane []uint8) *upsampler {
	across, down := subsampling(img.SubsampleRatio)
	u := &upsampler{
		plane: plane, stride: img.CStride, across: across, down: down,
		width:  (img.Rect.Dx() + across - 1) / across,
		height: (img.Rect.Dy() + down - 1) / down,
	}
	u.sums = make([]int32, u.width)
	u.wide = make([]uint8, u.width*across)
	return u
}

func subsampling(ratio image.YCbCrSubsampleRatio) (across, down int) {
	switch ratio {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// row returns the samples for luma row y, at least as many as luma has, valid
// until the next call. A sample is 3/4 its nearest and 1/4 its second nearest
// along each axis; the constants vary so that rounding has no bias.
func (u *upsampler) row(y int) []uint8 {
	near := u.samples(y / u.down)
	second := u.samples(y/u.down + y%2*2 - 1)
	switch {
	case u.across == 1 && u.down == 1:
		return near
	case u.across == 1:
		for i, v := range near {
			u.wide[i] = uint8((3*int(v) + int(second[i]) + 1 + y%2) >> 2)
		}
	case u.across == 4 || u.width <= 2: // libjpeg repeats these
		for i := range u.wide {
			u.wide[i] = near[i/u.across]
		}
	case u.down == 1:
		for i, v := range near {
			u.sums[i] = int32(v)
		}
		u.widen(1, 2, 2)
	default:
		for i, v := range near {
			u.sums[i] = 3*int32(v) + int32(second[i])
		}
		u.widen(8, 7, 4)
	}
	return u.wide
}

// samples returns a row of the plane, or that of its edge which is nearest.
func (u *upsampler) samples(row int) []uint8 {
	return u.plane[min(max(row, 0), u.height-1)*u.stride:][:u.width]
}

// widen makes two samples of each sum, adding the constant for the left or the
// right one before the shift.
func (u *upsampler) widen(left, right, shift int32) {
	last := u.sums[0]
	wide := u.wide
	for i, v := range u.sums {
		next := v
		if i+1 < len(u.sums) {
			next = u.sums[i+1]
		}
		pair := wide[2*i : 2*i+2 : 2*i+2]
		pair[0] = uint8((3*v + last + left) >> (shift & 31))
		pair[1] = uint8((3*v + next + right) >> (shift & 31))
		last = v
	}
}
