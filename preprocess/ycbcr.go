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
	var r ycbcrRows
	r.reset(k, img, img.Rect)
	for y := range img.Rect.Dy() {
		r.read(dst.Pix[y*dst.Stride:][:img.Rect.Dx()*4], y)
	}
	return dst
}

// ycbcrRows converts a part of an image row by row.
type ycbcrRows struct {
	k      *toRGB
	img    *image.YCbCr // whose bounds begin at 0
	part   image.Rectangle
	cb, cr upsampler
	pixels []uint8
}

func (r *ycbcrRows) reset(k *toRGB, img *image.YCbCr, part image.Rectangle) {
	r.k, r.img, r.part = k, img, part
	r.cb.reset(k, img, img.Cb, part)
	r.cr.reset(k, img, img.Cr, part)
	r.pixels = grow(r.pixels, part.Dx()*4)
}

func (r *ycbcrRows) row(y int) []uint8 {
	r.read(r.pixels, y)
	return r.pixels
}

// read writes row y of the part to dst.
func (r *ycbcrRows) read(dst []uint8, y int) {
	luma := r.img.Y[y*r.img.YStride:][r.part.Min.X:r.part.Max.X]
	r.k.row(dst, luma, r.cb.row(y), r.cr.row(y))
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

// upsampler brings a part of a chroma plane to the size of the luma plane, a row
// at a time.
type upsampler struct {
	plane         []uint8
	stride        int
	width, height int     // of the plane
	repeat        bool    // samples are repeated, as libjpeg does with these
	across, down  int     // luma samples for each chroma sample
	from, to      int     // the columns of the plane that the part has a share of
	left, right   int     // the part within the widened columns
	sums          []int32 // of these columns and of one to either side, before they are widened
	wide          []uint8
}

func (u *upsampler) reset(k *toRGB, img *image.YCbCr, plane []uint8, part image.Rectangle) {
	u.plane, u.stride = plane, img.CStride
	u.across, u.down = subsampling(img.SubsampleRatio)
	u.width = (img.Rect.Dx() + u.across - 1) / u.across
	u.repeat = u.across == 4 || k == &jfif && u.width <= 2
	u.height = (img.Rect.Dy() + u.down - 1) / u.down
	u.from = part.Min.X / u.across
	u.to = (part.Max.X + u.across - 1) / u.across
	u.left, u.right = part.Min.X-u.from*u.across, part.Max.X-u.from*u.across
	u.sums = grow(u.sums, u.to-u.from+2)
	u.wide = grow(u.wide, (u.to-u.from)*u.across)
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

// row returns the samples for the part of luma row y, valid until the next call.
// A sample is 3/4 its nearest and 1/4 its second nearest along each axis; the
// constants vary so that rounding has no bias.
func (u *upsampler) row(y int) []uint8 {
	near := u.samples(y / u.down)
	second := u.samples(y/u.down + y%2*2 - 1)
	switch {
	case u.across == 1 && u.down == 1:
		return near[u.from:u.to]
	case u.across == 1:
		for i := range u.wide {
			u.wide[i] = uint8((3*int(near[u.from+i]) + int(second[u.from+i]) + 1 + y%2) >> 2)
		}
	case u.repeat:
		for i := range u.wide {
			u.wide[i] = near[u.from+i/u.across]
		}
	case u.down == 1:
		u.sum(near, near, 1, 0)
		u.widen(1, 2, 2)
	default:
		u.sum(near, second, 3, 1)
		u.widen(8, 7, 4)
	}
	return u.wide[u.left:u.right]
}

// samples returns a row of the plane, or that of its edge which is nearest.
func (u *upsampler) samples(row int) []uint8 {
	return u.plane[min(max(row, 0), u.height-1)*u.stride:][:u.width]
}

// sum weighs two rows; beyond an edge of the plane the sum is that of the edge.
func (u *upsampler) sum(a, b []uint8, weightA, weightB int32) {
	first, last := max(u.from-1, 0), min(u.to+1, u.width)
	sums := u.sums[first-(u.from-1):]
	a, b = a[first:last], b[first:last]
	for i, v := range a {
		sums[i] = weightA*int32(v) + weightB*int32(b[i])
	}
	if u.from == 0 {
		u.sums[0] = u.sums[1]
	}
	if n := len(u.sums); u.to == u.width {
		u.sums[n-1] = u.sums[n-2]
	}
}

// widen makes two samples of each sum, adding the constant for the left or the
// right one before the shift.
func (u *upsampler) widen(left, right, shift int32) {
	wide := u.wide
	last, v := u.sums[0], u.sums[1]
	for i, next := range u.sums[2:] {
		pair := wide[2*i : 2*i+2 : 2*i+2]
		pair[0] = uint8((3*v + last + left) >> (shift & 31))
		pair[1] = uint8((3*v + next + right) >> (shift & 31))
		last, v = v, next
	}
}
