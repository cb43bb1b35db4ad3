package preprocess

import (
	"bytes"
	"fmt"
	"image"

	"github.com/disintegration/imaging"
)

// Reading says how files are read where practice differs. Its zero value is how the
// published networks were trained, but that truncated files are refused. How a
// network's training images were read is recorded with it.
type Reading struct {
	Gray16      Gray16      `json:"gray16"`
	Orientation Orientation `json:"exif_orientation"`
	Truncated   Truncated   `json:"truncated"`
}

// Gray16 says what becomes of gray levels of 16 bits, and of 12 in TIFFs.
type Gray16 int

const (
	Clip  Gray16 = iota // "clip": all above 255 is white, as in PIL
	Scale               // "scale": the upper 8 bits
)

// Orientation says whether the EXIF orientation of JPEG, PNG and WebP files counts.
// That of TIFF always does, as in PIL.
type Orientation int

const (
	Ignore Orientation = iota // "ignore": pixels are taken as they are stored
	Apply                     // "apply": the image is turned upright
)

// Truncated says what becomes of a JPEG, PNG or GIF that ends early.
type Truncated int

const (
	Refuse Truncated = iota // "refuse": an error
	Fill                    // "fill": as with PIL's LOAD_TRUNCATED_IMAGES the rest of a JPEG is gray, and else black or the first colour
)

// unusual says what is not as in the zero value.
func (how Reading) unusual() (text string) {
	if how.Gray16 != Clip {
		text += fmt.Sprintf(", 16-bit gray: %v", how.Gray16)
	}
	if how.Orientation != Ignore {
		text += fmt.Sprintf(", EXIF orientation: %v", how.Orientation)
	}
	if how.Truncated != Refuse {
		text += fmt.Sprintf(", truncated images: %v", how.Truncated)
	}
	return text
}

var (
	gray16Names      = []string{"clip", "scale"}
	orientationNames = []string{"ignore", "apply"}
	truncatedNames   = []string{"refuse", "fill"}
)

func (g Gray16) String() string      { return gray16Names[g] }
func (o Orientation) String() string { return orientationNames[o] }
func (t Truncated) String() string   { return truncatedNames[t] }

func (g Gray16) MarshalText() ([]byte, error)      { return []byte(g.String()), nil }
func (o Orientation) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
func (t Truncated) MarshalText() ([]byte, error)   { return []byte(t.String()), nil }

func (g *Gray16) UnmarshalText(text []byte) error {
	return parse(g, "gray16", string(text), gray16Names)
}
func (o *Orientation) UnmarshalText(text []byte) error {
	return parse(o, "exif_orientation", string(text), orientationNames)
}
func (t *Truncated) UnmarshalText(text []byte) error {
	return parse(t, "truncated", string(text), truncatedNames)
}

// upright turns an image as its file's EXIF orientation says.
func upright(img image.Image, file []byte) image.Image {
	turns := map[int]func(image.Image) *image.NRGBA{
		2: imaging.FlipH, 3: imaging.Rotate180, 4: imaging.FlipV, 5: imaging.Transpose,
		6: imaging.Rotate270, 7: imaging.Transverse, 8: imaging.Rotate90, // against the clock
	}
	turn := turns[orientationOf(file)]
	if turn == nil {
		return img
	}
	// What imaging turns is always of this kind. To others it does not give PIL's colours, and a
	// crafted palette makes it panic (CVE-2023-36308).
	return turn(pixelsOf(img))
}

// pixelsOf returns all of an image.
func pixelsOf(img image.Image) *image.NRGBA {
	bounds := img.Bounds()
	dst := image.NewNRGBA(bounds)
	source := new(rowReader).open(img, bounds)
	for y := range bounds.Dy() {
		copy(dst.Pix[y*dst.Stride:], source.row(bounds.Min.Y+y))
	}
	return dst
}

// exifHeader is before EXIF data in JPEGs, and by mistake in some WebPs.
var exifHeader = []byte("Exif\x00\x00")

// orientationOf returns the EXIF orientation of a file, 1 to 8; 0 if it has none.
func orientationOf(file []byte) int {
	switch {
	case beginsWith(file, "\xff\xd8"):
		for marker, data := range segments(file) {
			if exif, ok := bytes.CutPrefix(data, exifHeader); ok && marker == markerAPP1 {
				return exifOrientation(exif)
			}
		}
	case beginsWith(file, pngSignature):
		for kind, data := range pngChunks(file) {
			if kind == "eXIf" {
				return exifOrientation(data)
			}
		}
	case beginsWith(file, "RIFF????WEBP"):
		for kind, data := range riffChunks(file[12:]) {
			if kind == "EXIF" {
				return exifOrientation(bytes.TrimPrefix(data, exifHeader))
			}
		}
	}
	return 0
}
