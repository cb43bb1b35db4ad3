// Package tiff decodes the first image of a TIFF or BigTIFF file into what PIL makes of
// it, level by level. Package preprocess is its user.
//
// A file is read in four steps, each with a file of its own: its directory (ifd.go), what
// that says of the image (page.go), where the pixels lie and what it would cost to unpack
// them (segments.go), and the unpacking, row by row (compression.go and what it calls).
// The rows become pixels in pixels.go, colour.go and ycbcr.go.
package tiff

import (
	"context"
	"image"

	"github.com/ascood/ascood"
)

// JPEG decodes a JPEG stream in a TIFF into an *image.Gray, an *image.NRGBA or, of four
// samples, an *image.CMYK that has them as they are stored. The stream must have the given
// width and at most the given height.
type JPEG func(ctx context.Context, stream []byte, width, height int) (image.Image, error)

// Options say what is the user's to say.
type Options struct {
	JPEG    JPEG // nil for files that hold none
	Stretch bool // gray of 12 bits is stretched to 16
}

// Is tells from the first bytes whether a file is a TIFF. Both signatures exist with
// their bytes exchanged, too, and are read by the order that they begin with.
func Is(file []byte) bool {
	if len(file) < 4 {
		return false
	}
	switch string(file[:4]) {
	case "II*\x00", "MM\x00*", "II\x00*", "MM*\x00", "II+\x00", "MM\x00+":
		return true
	}
	return false
}

// Size returns the size that the directory says, before the orientation is applied. Its errors
// are those of Decode.
func Size(file []byte) (image.Point, error) {
	page, _, err := open(file)
	if err != nil {
		return image.Point{}, err
	}
	return image.Pt(page.width, page.height), nil
}

// Decode returns an *image.Gray, an *image.Gray16 that holds the samples as they are, 12 bits
// included unless these are stretched, or an opaque *image.NRGBA. Alpha is dropped, orientation applied. Errors have the
// code Invalid for damaged files, Unsupported for sound ones that are not handled, and
// TooLarge where unpacking would cost far more than the image is worth. The size is the
// user's to check, before memory is taken for the image.
func Decode(ctx context.Context, file []byte, opt Options) (image.Image, error) {
	page, directory, err := open(file)
	if err != nil {
		return nil, err
	}
	segments, err := page.segments(directory, file)
	if err != nil {
		return nil, err
	}
	dst := newPixels(page, opt)
	for s := range segments.all() {
		if err := page.unpack(ctx, s, dst, opt.JPEG); err != nil {
			return nil, err
		}
	}
	return orient(dst.finish(), page.orientation), nil
}

func open(file []byte) (*page, *directory, error) {
	directory, err := readDirectory(file)
	if err != nil {
		return nil, nil, err
	}
	page, err := describe(directory)
	return page, directory, err
}

func damaged(format string, args ...any) error {
	return ascood.Errorf(ascood.Invalid, "damaged TIFF: "+format, args...)
}

func truncated(what string) error {
	return ascood.Errorf(ascood.Invalid, "truncated image: the TIFF ends before its %s", what)
}

// unsupported is for sound files; the advice holds for all of them.
func unsupported(format string, args ...any) error {
	return ascood.Errorf(ascood.Unsupported, "TIFF "+format+"; save it as 8-bit RGB or gray, without compression or with LZW or Deflate", args...)
}
