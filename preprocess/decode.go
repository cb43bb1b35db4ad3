package preprocess

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // registers its decoder with package image, as do others
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"github.com/ascood/ascood"
)

// DefaultMaxPixels is the pixel limit of the datasets: 8192x8192.
const DefaultMaxPixels = 1 << 26

const formats = "JPEG, PNG, GIF, BMP, TIFF and WebP"

// maxFile is the most bytes that a file may have: twice the pixels of the largest
// image of DefaultMaxPixels, of four channels of 16 bits.
const maxFile = 16 * DefaultMaxPixels

// Decode decodes a JPEG, PNG, GIF (first frame), BMP, TIFF or WebP file. The
// result is an opaque *image.NRGBA whose bounds begin at 0, or the *image.Gray
// or *image.YCbCr that the file holds: Crop converts what it needs of these, and
// interpolates chroma, which package image does not. Alpha is dropped, not
// composited, and of 16 bits the upper 8 are kept, as PIL's conversion to RGB
// does. EXIF orientation is ignored, as it is in the pipelines that the
// published networks were trained with.
//
// The header is read first: an image of more than maxPixels pixels is
// ascood.TooLarge before memory is taken for it. Data that is no such image, or
// is damaged, is ascood.Invalid; a variant that the decoders lack is
// ascood.Unsupported. When ctx ends, decoding ends soon, with the cause.
func Decode(ctx context.Context, file []byte, maxPixels int) (img image.Image, err error) {
	// A malformed file that drives a decoder out of bounds must not take the
	// process with it.
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, ascood.Errorf(ascood.Invalid, "damaged image: the decoder failed: %v", p)
		}
	}()
	config, format, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, explain(file, err)
	}
	if err := checkSize(config.Width, config.Height, maxPixels); err != nil {
		return nil, err
	}
	if animatedWebP(file) {
		return nil, ascood.Errorf(ascood.Unsupported, "animated WebP images are not handled")
	}
	if format == "jpeg" {
		if err := checkScans(file); err != nil {
			return nil, err
		}
	}
	decoded, _, err := image.Decode(&reader{ctx, bytes.NewReader(file)})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, explain(file, err)
	}
	if frame, ok := decoded.(*image.Paletted); ok && format == "gif" {
		decoded = onScreen(frame, config)
	}
	return opaque(decoded, format)
}

// DecodeFile is Decode for a file of a file system; the error names it.
func DecodeFile(ctx context.Context, path string, maxPixels int) (image.Image, error) {
	file, err := readFile(ctx, path)
	if err != nil {
		return nil, err
	}
	img, err := Decode(ctx, file, maxPixels)
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

// reader fails once its context has ended. It is all that decoders read from, so
// that none of them outlasts the one that waits for it.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}

// animatedWebP looks at the flags of the extended header, if that is what the
// file begins with. The decoder would call the file malformed.
func animatedWebP(header []byte) bool {
	const flags, animation = 20, 1 << 1
	return len(header) > flags && string(header[:4]) == "RIFF" && string(header[8:16]) == "WEBPVP8X" && header[flags]&animation != 0
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

// explain turns a decoder's error into one for the image's owner.
func explain(file []byte, err error) error {
	var (
		badJPEG  jpeg.UnsupportedError
		badPNG   png.UnsupportedError
		badTIFF  tiff.UnsupportedError
		unknown  = errors.Is(err, image.ErrFormat)
		variants = errors.As(err, &badJPEG) || errors.As(err, &badPNG) || errors.As(err, &badTIFF) || errors.Is(err, bmp.ErrUnsupported)
	)
	switch {
	case len(file) == 0:
		return ascood.Errorf(ascood.Invalid, "no image: 0 bytes")
	case unknown:
		return ascood.Errorf(ascood.Invalid, "not an image in a known format; known are %s", formats)
	case variants:
		return ascood.Errorf(ascood.Unsupported, "%w", err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ascood.Errorf(ascood.Invalid, "truncated image: %w", err)
	}
	return ascood.Errorf(ascood.Invalid, "damaged image: %w", err)
}
