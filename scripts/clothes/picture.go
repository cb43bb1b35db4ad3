package main

import (
	"context"
	"image"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/preprocess"
)

// picture is an image in colour, [pictureSide,pictureSide,3].
type picture []uint8

const (
	pictureSide   = 32
	picturePixels = pictureSide * pictureSide
)

func black() picture { return make(picture, 3*picturePixels) }

// paste puts the object of an image of the MNIST family, gray on black, into the middle
// of a background, which it changes.
func paste(d dataset.Dataset, i int, background picture) (picture, error) {
	img, err := d.Load(context.Background(), i, preprocess.Reading{})
	if err != nil {
		return nil, err
	}
	object := img.(*image.Gray)
	size := object.Rect.Size()
	outside := outside(object)
	for y := range size.Y {
		for x := range size.X {
			if outside[y*size.X+x] {
				continue
			}
			at := (y+(pictureSide-size.Y)/2)*pictureSide + x + (pictureSide-size.X)/2
			level := object.GrayAt(object.Rect.Min.X+x, object.Rect.Min.Y+y).Y
			background[3*at], background[3*at+1], background[3*at+2] = level, level, level
		}
	}
	return background, nil
}

// dark is the darkest level that is taken for a part of the object at its edge.
const dark = 16

// outside tells which pixels [H,W] are not of the object: the dark ones that are
// connected with the image's edge. A dark print on a shirt belongs to the shirt.
func outside(object *image.Gray) []bool {
	size := object.Rect.Size()
	out := make([]bool, size.X*size.Y)
	var visit func(x, y int)
	visit = func(x, y int) {
		if x < 0 || y < 0 || x >= size.X || y >= size.Y || out[y*size.X+x] || object.Pix[y*object.Stride+x] >= dark {
			return
		}
		out[y*size.X+x] = true
		visit(x-1, y)
		visit(x+1, y)
		visit(x, y-1)
		visit(x, y+1)
	}
	for x := range size.X {
		visit(x, 0)
		visit(x, size.Y-1)
	}
	for y := range size.Y {
		visit(0, y)
		visit(size.X-1, y)
	}
	return out
}

// toGray replaces the colours by their luma, of ITU-R 601.
func (p picture) toGray() {
	for k := 0; k < len(p); k += 3 {
		level := uint8((299*int(p[k]) + 587*int(p[k+1]) + 114*int(p[k+2]) + 500) / 1000)
		p[k], p[k+1], p[k+2] = level, level, level
	}
}

// record is the picture with its label as CIFAR-10's binary version has it: planes of
// red, green and blue after it.
func (p picture) record(label int) []byte {
	b := make([]byte, 1+3*picturePixels)
	b[0] = uint8(label)
	for k, level := range p {
		b[1+k%3*picturePixels+k/3] = level
	}
	return b
}
