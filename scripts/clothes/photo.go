package main

import (
	"context"
	"image"
	"math/rand/v2"

	"github.com/disintegration/imaging"

	"github.com/ascood/ascood/preprocess"
)

// photo is a photograph, photoHeight pixels high.
type photo struct{ *image.NRGBA }

const photoHeight = 256

func openPhoto(ctx context.Context, path string) (photo, error) {
	img, err := preprocess.Reading{}.DecodeFile(ctx, path, preprocess.DefaultMaxPixels)
	if err != nil {
		return photo{}, err
	}
	return photo{imaging.Resize(img, 0, photoHeight, imaging.Box)}, nil
}

// stripes are where each part has its pieces of a photograph, in shares of its width.
// Each is as wide as the largest piece, if the photograph is 5:4 or wider.
var stripes = [parts][2]float64{{0, .6}, {.6, .8}, {.8, 1}}

// whole is the stripe that is all of a photograph.
var whole = [2]float64{0, 1}

// pieceOf returns a piece of one of the photographs.
func pieceOf(photos []photo, stripe [2]float64, rng *rand.Rand) picture {
	return photos[rng.IntN(len(photos))].piece(stripe, rng)
}

// piece returns a random square of a stripe, scaled.
func (p photo) piece(stripe [2]float64, rng *rand.Rand) picture {
	side := photoHeight/6 + rng.IntN(photoHeight/4-photoHeight/6+1)
	width := float64(p.Bounds().Dx())
	left, right := int(stripe[0]*width), int(stripe[1]*width)
	x, y := left+rng.IntN(max(right-left-side, 0)+1), rng.IntN(photoHeight-side+1)
	square := imaging.Crop(p, image.Rect(x, y, x+side, y+side))
	return picture(preprocess.Config{PreSize: pictureSide, ImageSize: pictureSide}.Crop(square))
}
