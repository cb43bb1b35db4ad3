// Package bmp decodes BMP files of all kinds that Windows and OS/2 have had, into what PIL
// makes of them. Package preprocess is its user.
//
// header.go reads the headers, rle.go unpacks what is compressed, pixels.go makes colours.
package bmp

import (
	"context"
	"image"

	"github.com/ascood/ascood"
)

// Is tells from the first bytes whether a file is a BMP: the signature alone is two letters
// that a text may begin with.
func Is(file []byte) bool {
	if len(file) < fileHeader+4 || string(file[:2]) != "BM" {
		return false
	}
	size := order.Uint32(file[fileHeader:])
	return size >= 12 && size <= 1024
}

// Size returns the size that the header says. Its errors are those of Decode.
func Size(file []byte) (image.Point, error) {
	h, err := readHeader(file)
	if err != nil {
		return image.Point{}, err
	}
	return image.Pt(h.width, h.height), nil
}

// Decode returns the opaque image of a file. Errors have the code Invalid for damaged files and
// Unsupported for sound ones that are not handled. The size is the user's to check, before
// memory is taken for the image.
func Decode(ctx context.Context, file []byte) (*image.NRGBA, error) {
	h, err := readHeader(file)
	if err != nil {
		return nil, err
	}
	rows := &storedRows{data: h.pixels, stride: (h.width*h.bits + 31) / 32 * 4, used: (h.width*h.bits + 7) / 8}
	if h.compression == rle4 || h.compression == rle8 {
		if rows, err = h.unpack(ctx); err != nil {
			return nil, err
		}
	}
	dst := image.NewNRGBA(image.Rect(0, 0, h.width, h.height))
	for i := range h.height {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		row, err := rows.row(i)
		if err != nil {
			return nil, err
		}
		y := i
		if !h.topDown {
			y = h.height - 1 - i
		}
		h.colour(dst.Pix[y*dst.Stride:][:4*h.width], row)
	}
	return dst, nil
}

// storedRows are rows in the order of the file.
type storedRows struct {
	data         []byte
	stride, used int // bytes of a row, with and without its padding
}

// row returns row i. Some writers leave out the padding of the last one.
func (r *storedRows) row(i int) ([]byte, error) {
	if i*r.stride+r.used > len(r.data) {
		return nil, ascood.Errorf(ascood.Invalid, "truncated image: the BMP ends before its pixels")
	}
	return r.data[i*r.stride:][:r.used], nil
}

func damaged(format string, args ...any) error {
	return ascood.Errorf(ascood.Invalid, "damaged BMP: "+format, args...)
}

// unsupported is for sound files; the advice holds for all of them.
func unsupported(format string, args ...any) error {
	return ascood.Errorf(ascood.Unsupported, "BMP "+format+"; save it with 24 bits a pixel, or as PNG", args...)
}
