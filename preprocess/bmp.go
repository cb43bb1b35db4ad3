package preprocess

import (
	"context"
	"image"

	"github.com/ascood/ascood/internal/bmp"
)

func decodeBMP(ctx context.Context, file []byte, maxPixels int) (image.Image, error) {
	return bmp.Decode(ctx, file, func(width, height int) error { return checkSize(width, height, maxPixels) })
}
