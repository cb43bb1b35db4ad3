package preprocess

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/tiff"
)

func decodeTIFF(ctx context.Context, file []byte) (image.Image, error) {
	return tiff.Decode(ctx, file, decodeStrip)
}

// decodeStrip decodes a JPEG stream in a TIFF, which must fit into the strip or tile that it
// is. Chroma is interpolated within the stream, as libjpeg does.
func decodeStrip(_ context.Context, stream []byte, width, height int) (image.Image, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(stream))
	if err != nil {
		return nil, err
	}
	if config.Width != width || config.Height > height {
		return nil, ascood.Errorf(ascood.Invalid, "damaged TIFF: a JPEG stream of %dx%d pixels where there should be %dx%d", config.Width, config.Height, width, height)
	}
	img, err := jpeg.Decode(bytes.NewReader(stream))
	switch img := img.(type) {
	case *image.YCbCr:
		return jfif.convert(img), nil
	case *image.RGBA: // opaque
		return (*image.NRGBA)(img), nil
	case *image.CMYK: // which Go has inverted, as is right for files, but not in a TIFF
		for i, v := range img.Pix {
			img.Pix[i] = 255 - v
		}
	}
	return img, err
}
