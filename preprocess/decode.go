package preprocess

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"

	"github.com/ascood/ascood"
)

// DefaultMaxPixels is the pixel limit of the datasets: 8192x8192.
const DefaultMaxPixels = 1 << 26

// maxFile is the most bytes that a file may have: twice the pixels of the largest
// image of DefaultMaxPixels, of four channels of 16 bits.
const maxFile = 16 * DefaultMaxPixels

// Decode decodes a file of one of the formats. The result is an *image.NRGBA that is
// opaque, or the *image.Gray that the file holds; its bounds begin at 0. It has the
// pixels that PIL's conversion to RGB has: alpha is dropped, not composited, and of an
// animation the first frame is taken. Reading says more.
//
// The header is read first: an image of more than maxPixels pixels is
// ascood.TooLarge before memory is taken for it. A file that is no image, or one of a
// kind that the decoders lack, is ascood.Unsupported; a damaged one is
// ascood.Invalid. When ctx ends, decoding ends soon, with the cause.
func (how Reading) Decode(ctx context.Context, file []byte, maxPixels int) (img image.Image, err error) {
	// A malformed file that drives a decoder out of bounds must not take the
	// process with it.
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, ascood.Errorf(ascood.Invalid, "damaged image: the decoder failed: %v", p)
		}
	}()
	f, err := formatOf(file)
	if err != nil {
		return nil, err
	}
	size, err := f.checkedSize(file, maxPixels)
	if err != nil {
		return nil, err
	}
	s := &source{Reading: how, ctx: ctx, file: file, size: size}
	decoded, err := f.decode(s)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, f.explain(err)
	}
	img, err = how.opaque(decoded)
	if err == nil && how.Orientation == Apply {
		img = upright(img, file)
	}
	return img, err
}

// Size returns the size that the header of a file says, with the errors of Decode.
func Size(file []byte, maxPixels int) (size image.Point, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = ascood.Errorf(ascood.Invalid, "damaged image: the decoder failed: %v", p)
		}
	}()
	f, err := formatOf(file)
	if err != nil {
		return image.Point{}, err
	}
	return f.checkedSize(file, maxPixels)
}

func (f *format) checkedSize(file []byte, maxPixels int) (image.Point, error) {
	size, err := f.size(file)
	switch {
	case err != nil:
		return size, f.explain(err)
	case size.X < 1 || size.Y < 1:
		return size, ascood.Errorf(ascood.Invalid, "damaged %s: %dx%d pixels", f.name, size.X, size.Y)
	case size.X > maxPixels/size.Y:
		return size, ascood.Errorf(ascood.TooLarge, "image of %dx%d pixels: the limit is %d pixels", size.X, size.Y, maxPixels)
	}
	return size, nil
}

// DecodeFile is Decode for a file of a file system; the error names it.
func (how Reading) DecodeFile(ctx context.Context, path string, maxPixels int) (image.Image, error) {
	file, err := readFile(ctx, path)
	if err != nil {
		return nil, err
	}
	img, err := how.Decode(ctx, file, maxPixels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

func readFile(ctx context.Context, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, ascood.Errorf(ascood.Invalid, "%s: a folder, not an image", path)
	}
	file, err := io.ReadAll(&reader{ctx, io.LimitReader(f, maxFile+1)})
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", path, context.Cause(ctx))
	case err != nil:
		return nil, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	case len(file) > maxFile:
		return nil, ascood.Errorf(ascood.TooLarge, "%s: the file has more than %d bytes, the most for an image", path, maxFile)
	}
	return file, nil
}

// errTruncated is the error of a file that ends before its image.
var errTruncated = ascood.Errorf(ascood.Invalid, "truncated image: the file ends too early")

// explain turns a decoder's error into one for the image's owner.
func (f *format) explain(err error) error {
	var (
		badPNG   png.UnsupportedError
		variants = errors.As(err, &badPNG)
	)
	switch {
	case errors.As(err, new(*ascood.Error)):
		return err
	case variants:
		return ascood.Errorf(ascood.Unsupported, "%s that is not handled: %w; save it as JPEG or PNG", f.name, err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errTruncated
	}
	return ascood.Errorf(ascood.Invalid, "damaged %s: %w", f.name, err)
}
