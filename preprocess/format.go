package preprocess

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/bmp"
	"github.com/ascood/ascood/internal/tiff"
)

// format is a kind of image file that Decode reads.
type format struct {
	name   string
	begins []string // what its files begin with; ? is any byte
	size   func(file []byte) (image.Point, error)
	decode func(s *source) (image.Image, error)
}

// formats are in the order in which messages list them.
var formats = []format{
	{"JPEG", []string{"\xff\xd8"}, jpegSize, decodeJPEG},
	{"PNG", []string{"\x89PNG\r\n\x1a\n"}, configSize(png.DecodeConfig), decodePNG},
	{"GIF", []string{"GIF87a", "GIF89a"}, gifSize, decodeGIF},
	{"BMP", []string{"BM"}, bmp.Size, decodeBMP},
	{"TIFF", []string{"II*\x00", "MM\x00*", "II\x00*", "MM*\x00", "II+\x00", "MM\x00+"}, tiff.Size, decodeTIFF},
	{"WebP", []string{"RIFF????WEBP"}, webpSize, decodeWebP},
}

// others are kinds of files that people take for images that could be read. Of one
// whose beginning fits, the first counts.
var others = []struct{ name, begins string }{
	{"an AVIF image", "????ftypavi"},
	{"a HEIC image", "????ftyphei"},
	{"a HEIC image", "????ftyphev"},
	{"a HEIC image", "????ftypmif1"},
	{"a HEIC image", "????ftypmsf1"},
	{"a raw photograph (CR3)", "????ftypcrx"},
	{"a video", "????ftyp"},
	{"a video", "\x1aE\xdf\xa3"},
	{"a video", "RIFF????AVI "},
	{"a JPEG XL image", "\xff\x0a"},
	{"a JPEG XL image", "\x00\x00\x00\x0cJXL "},
	{"a JPEG 2000 image", "\x00\x00\x00\x0cjP  "},
	{"a JPEG 2000 image", "\xff\x4f\xff\x51"},
	{"a Photoshop file", "8BPS"},
	{"an icon", "\x00\x00\x01\x00"},
	{"a raw photograph (RAF)", "FUJIFILM"},
	{"a Netpbm image", "P?\n"},
	{"a PDF document", "%PDF"},
	{"an SVG drawing", "<svg"},
	{"a web page or other XML", "<"},
	{"JSON", "{"},
	{"a zip archive", "PK\x03\x04"},
	{"a gzip archive", "\x1f\x8b"},
}

// formatOf finds a file's format by its beginning.
func formatOf(file []byte) (*format, error) {
	for i := range formats {
		for _, begins := range formats[i].begins {
			if beginsWith(file, begins) {
				return &formats[i], nil
			}
		}
	}
	if len(file) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "no image: 0 bytes")
	}
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	known := strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	for _, other := range others {
		if beginsWith(file, other.begins) {
			return nil, ascood.Errorf(ascood.Unsupported, "this is %s; %s images are handled: save it as JPEG or PNG", other.name, known)
		}
	}
	return nil, ascood.Errorf(ascood.Unsupported, "not an image in a known format; known are %s", known)
}

func beginsWith(file []byte, pattern string) bool {
	if len(file) < len(pattern) {
		return false
	}
	for i := range len(pattern) {
		if pattern[i] != '?' && pattern[i] != file[i] {
			return false
		}
	}
	return true
}

// configSize is for formats whose size package image can tell.
func configSize(decode func(io.Reader) (image.Config, error)) func([]byte) (image.Point, error) {
	return func(file []byte) (image.Point, error) {
		config, err := decode(bytes.NewReader(file))
		return image.Pt(config.Width, config.Height), err
	}
}

// source is a file that is being decoded.
type source struct {
	Reading
	ctx  context.Context
	file []byte
	size image.Point // by the header
}

// reader fails once its context has ended. What decodes reads from one or looks at the
// context itself, so that nothing outlasts the one that waits for it.
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

func decodeBMP(s *source) (image.Image, error) { return bmp.Decode(s.ctx, s.file) }
