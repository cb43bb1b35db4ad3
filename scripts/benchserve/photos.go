package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/ascood/ascood/ioodin"
)

// photographs makes up JPEG files as large as small photographs, with waves and noise
// in the place of what they show.
func photographs(folder string, n int) ([][]byte, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	files := make([][]byte, n)
	for i := range files {
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		fx, fy, phase := rng.Float64()/20, rng.Float64()/20, rng.Float64()*6
		img := image.NewRGBA(image.Rect(0, 0, 640, 480))
		for y := range 480 {
			for x := range 640 {
				wave := 128 + 90*math.Sin(fx*float64(x)+fy*float64(y)+phase) + 12*rng.NormFloat64()
				level := uint8(min(max(wave, 0), 255))
				img.SetRGBA(x, y, color.RGBA{level, uint8(x / 3), uint8(y / 2), 255})
			}
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
			return nil, err
		}
		files[i] = b.Bytes()
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%05d.jpg", i)), files[i], 0o600); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// crop decodes files on all cores.
func crop(ctx context.Context, model *ioodin.Model, files [][]byte) ([][]uint8, error) {
	const mostPixels = 25_000_000
	config := model.Info().Preprocess
	crops := make([][]uint8, len(files))
	var group errgroup.Group
	for i, file := range files {
		group.Go(func() error {
			img, err := config.Decode(ctx, file, mostPixels)
			if err == nil {
				crops[i] = config.Crop(img)
			}
			return err
		})
	}
	return crops, group.Wait()
}
