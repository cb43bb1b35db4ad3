package tiff

import "image"

// orient turns and mirrors an image as its Orientation says, 1 to 8: where the first row
// and the first column of what is stored belong. Others are taken as 1.
func orient(img image.Image, orientation uint64) image.Image {
	if orientation < 2 || orientation > 8 {
		return img
	}
	bounds := img.Bounds()
	if orientation >= 5 {
		bounds.Max.X, bounds.Max.Y = bounds.Max.Y, bounds.Max.X
	}
	switch img := img.(type) {
	case *image.Gray:
		dst := image.NewGray(bounds)
		turn(dst.Pix, img.Pix, bounds, 1, orientation)
		return dst
	case *image.Gray16:
		dst := image.NewGray16(bounds)
		turn(dst.Pix, img.Pix, bounds, 2, orientation)
		return dst
	case *image.NRGBA:
		dst := image.NewNRGBA(bounds)
		turn(dst.Pix, img.Pix, bounds, 4, orientation)
		return dst
	}
	return img
}

// turn copies pixels of the given bytes. From one pixel of the result to the next, src is
// walked through by steps that orientation gives.
func turn(dst, src []uint8, bounds image.Rectangle, size int, orientation uint64) {
	width, height := bounds.Dx(), bounds.Dy()
	start, right, down := 0, 1, width
	if orientation >= 5 { // rows of the result are columns of src
		right, down = height, 1
	}
	switch orientation {
	case 2, 3, 6, 7: // the result's rows run backwards through src
		start += right * (width - 1)
		right = -right
	}
	switch orientation {
	case 3, 4, 7, 8: // and so do its columns
		start += down * (height - 1)
		down = -down
	}
	for y := range height {
		from := start + y*down
		for x := range width {
			at := (y*width + x) * size
			copy(dst[at:at+size], src[(from+x*right)*size:])
		}
	}
}
