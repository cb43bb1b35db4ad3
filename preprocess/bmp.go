package preprocess

import (
	"context"
	"image"

	"github.com/ascood/ascood/internal/bmp"
)

func decodeBMP(ctx context.Context, file []byte) (image.Image, error) { return bmp.Decode(ctx, file) }
