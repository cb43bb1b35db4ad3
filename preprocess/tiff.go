package preprocess

import (
	"context"
	"errors"
	"image"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/libjpeg"
	"github.com/ascood/ascood/internal/tiff"
)

func decodeTIFF(s *source) (image.Image, error) {
	return tiff.Decode(s.ctx, s.file, tiff.Options{JPEG: decodeStrip, Stretch: s.Gray16 == Scale})
}

// decodeStrip decodes a JPEG stream in a TIFF, which must fit into the strip or tile that it
// is. Chroma is interpolated within the stream, as libjpeg does.
func decodeStrip(ctx context.Context, stream []byte, width, height int) (image.Image, error) {
	size, err := jpegSize(stream)
	if err != nil {
		return nil, err
	}
	if size.X != width || size.Y > height {
		return nil, ascood.Errorf(ascood.Invalid, "damaged TIFF: a JPEG stream of %dx%d pixels where there should be %dx%d", size.X, size.Y, width, height)
	}
	if n := countScans(stream); n > maxScans {
		return nil, unsupportedJPEG("it has too many scans")
	}
	img, truncated, err := libjpeg.Decode(ctx, stream, size)
	if fault, ok := errors.AsType[*libjpeg.Error](err); ok {
		return nil, ascood.Errorf(ascood.Invalid, "damaged TIFF: %w", fault)
	}
	if err == nil && truncated {
		return nil, errTruncated
	}
	return img, err
}
