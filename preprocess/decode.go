package preprocess

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // each import registers its decoder with package image
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"github.com/ascood/ascood"
)

// DefaultMaxPixels is the pixel limit of the datasets: 8192x8192.
const DefaultMaxPixels = 1 << 26

const formats = "JPEG, PNG, GIF, BMP, TIFF and WebP"

// Decode reads a JPEG, PNG, GIF (first frame), BMP, TIFF or WebP image. The
// result is opaque: alpha is dropped, not composited, and of 16 bits the upper
// 8 are kept, as PIL's conversion to RGB does. EXIF orientation is ignored, as
// it is in the pipelines that the published networks were trained with.
//
// The header is read first: an image of more than maxPixels pixels is
// ascood.TooLarge before memory is taken for it. Data that is no such image, or
// is damaged, is ascood.Invalid; a variant that the decoders lack is
// ascood.Unsupported.
func Decode(r io.Reader, maxPixels int) (img *image.NRGBA, err error) {
	// A malformed file that drives a decoder out of bounds must not take the
	// process with it.
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, ascood.Errorf(ascood.Invalid, "damaged image: the decoder failed: %v", p)
		}
	}()
	var header bytes.Buffer
	config, format, err := image.DecodeConfig(io.TeeReader(r, &header))
	if err != nil {
		return nil, decodeError(header.Len() == 0, err)
	}
	if err := checkSize(config.Width, config.Height, maxPixels); err != nil {
		return nil, err
	}
	decoded, _, err := image.Decode(io.MultiReader(&header, r))
	if err != nil {
		return nil, decodeError(false, fmt.Errorf("%s: %w", format, err))
	}
	return opaque(decoded)
}

// DecodeFile is Decode for a file; the error names it.
func DecodeFile(path string, maxPixels int) (*image.NRGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	img, err := Decode(f, maxPixels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

func checkSize(width, height, maxPixels int) error {
	if width < 1 || height < 1 {
		return ascood.Errorf(ascood.Invalid, "damaged image: %dx%d pixels", width, height)
	}
	if width > maxPixels/height {
		return ascood.Errorf(ascood.TooLarge, "image of %dx%d pixels: the limit is %d pixels", width, height, maxPixels)
	}
	return nil
}

func decodeError(empty bool, err error) error {
	switch {
	case empty && errors.Is(err, io.EOF), empty && errors.Is(err, image.ErrFormat):
		return ascood.Errorf(ascood.Invalid, "no image: 0 bytes")
	case errors.Is(err, image.ErrFormat):
		return ascood.Errorf(ascood.Invalid, "not an image in a known format; known are %s", formats)
	default:
		return ascood.Errorf(ascood.Invalid, "damaged image: %w", err)
	}
}
