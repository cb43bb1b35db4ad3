package preprocess

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // registers its decoder with package image, as do the others
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"github.com/disintegration/imaging"
	_ "golang.org/x/image/webp"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/bmp"
	"github.com/ascood/ascood/internal/tiff"
)

// DefaultMaxPixels is the pixel limit of the datasets: 8192x8192.
const DefaultMaxPixels = 1 << 26

const formats = "JPEG, PNG, GIF, BMP, TIFF and WebP"

// Decode reads a JPEG, PNG, GIF (first frame), BMP, TIFF or WebP image. The
// result is an opaque *image.NRGBA whose bounds begin at 0, or the *image.Gray
// or *image.YCbCr that the file holds: Crop converts what it needs of these, and
// interpolates chroma, which package image does not. Alpha is dropped, not
// composited, and of 16 bits the upper 8 are kept, as PIL's conversion to RGB
// does. EXIF orientation is ignored, as it is in the pipelines that the
// published networks were trained with; that of TIFF is applied, as it is there.
//
// The header is read first: an image of more than maxPixels pixels is
// ascood.TooLarge before memory is taken for it. Data that is no such image, or
// is damaged, is ascood.Invalid; a variant that the decoders lack is
// ascood.Unsupported. An error of r itself is wrapped.
func Decode(r io.Reader, maxPixels int) (img image.Image, err error) {
	// A malformed file that drives a decoder out of bounds must not take the
	// process with it.
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, ascood.Errorf(ascood.Invalid, "damaged image: the decoder failed: %v", p)
		}
	}()
	in := &input{Reader: r}
	source := bufio.NewReader(in)
	switch magic, _ := source.Peek(18); {
	case tiff.Is(magic):
		return in.decodeWhole(source, tiff.Size, decodeTIFF, maxPixels)
	case bmp.Is(magic):
		return in.decodeWhole(source, bmp.Size, decodeBMP, maxPixels)
	}
	var header bytes.Buffer
	config, format, err := image.DecodeConfig(io.TeeReader(source, &header))
	if err != nil {
		return nil, in.explain(err)
	}
	if err := checkSize(config.Width, config.Height, maxPixels); err != nil {
		return nil, err
	}
	if animatedWebP(header.Bytes()) {
		return nil, ascood.Errorf(ascood.Unsupported, "animated WebP images are not handled")
	}
	// The one call of imaging, which nobody maintains: it hands on to package image. Of
	// what can be made to panic there (CVE-2023-36308, crafted TIFFs) nothing is used,
	// the size has been checked, and the recover above is for whatever is left.
	decoded, err := imaging.Decode(io.MultiReader(&header, source), imaging.AutoOrientation(false))
	if err != nil {
		return nil, in.explain(err)
	}
	if frame, ok := decoded.(*image.Paletted); ok && format == "gif" {
		decoded = onScreen(frame, config)
	}
	return opaque(decoded, format)
}

// decodeWhole is for the decoders that take a whole file.
func (in *input) decodeWhole(
	source io.Reader, size func([]byte) (image.Point, error), decode func(context.Context, []byte) (image.Image, error), maxPixels int,
) (image.Image, error) {
	file, err := io.ReadAll(source)
	if err != nil {
		return nil, in.explain(err)
	}
	sides, err := size(file)
	if err != nil {
		return nil, err
	}
	if err := checkSize(sides.X, sides.Y, maxPixels); err != nil {
		return nil, err
	}
	img, err := decode(context.Background(), file)
	if err != nil {
		return nil, in.explain(err)
	}
	return opaque(img, "")
}

// DecodeFile is Decode for a file; the error names it.
func DecodeFile(path string, maxPixels int) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	img, err := Decode(f, maxPixels)
	if code := ascood.CodeOf(err); err != nil && code == ascood.Internal { // reading failed
		return nil, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
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

// input remembers how reading went, which the decoders do not all report.
type input struct {
	io.Reader
	begun bool  // a byte was read
	err   error // other than io.EOF
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.begun = in.begun || n > 0
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// explain turns a decoder's error into one for the image's owner.
func (in *input) explain(err error) error {
	var (
		badJPEG  jpeg.UnsupportedError
		badPNG   png.UnsupportedError
		unknown  = errors.Is(err, image.ErrFormat)
		variants = errors.As(err, &badJPEG) || errors.As(err, &badPNG)
	)
	switch {
	case in.err != nil:
		return fmt.Errorf("reading the image: %w", in.err)
	case ascood.CodeOf(err) != ascood.Internal:
		return err
	case !in.begun:
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
