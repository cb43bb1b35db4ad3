package tiff

import "image"

// ycbcrPixels are YCbCr outside of JPEG: blocks of luma samples with one Cb and one Cr
// each, which hold for the whole block, as libtiff has it.
type ycbcrPixels struct {
	*page
	img *image.NRGBA
}

func (c *ycbcrPixels) put(row []byte, _, x, y, width int) error {
	across, down := c.subAcross, c.subRow
	size := across*down + 2
	for i := range width {
		block := row[i/across*size:][:size]
		cb, cr := block[size-2], block[size-1]
		for j := range min(down, c.height-y) {
			luma := block[j*across+i%across]
			setYCbCr(c.img.Pix[(y+j)*c.img.Stride+4*(x+i):][:4], luma, cb, cr)
		}
	}
	return nil
}

func (c *ycbcrPixels) finish() image.Image { return c.img }

// setYCbCr converts by BT.601 at full range in 16-bit fixed point, rounding as libtiff does:
// red and blue once for each product, green once for both.
func setYCbCr(pixel []byte, luma, cb, cr uint8) {
	const half = 1 << 15
	y, u, v := int32(luma), int32(cb)-128, int32(cr)-128
	pixel[0] = clip(y + (91881*v+half)>>16)
	pixel[1] = clip(y + (-46802*v-22553*u+half)>>16)
	pixel[2] = clip(y + (116130*u+half)>>16)
	pixel[3] = 255
}
