package report

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"slices"

	"github.com/ascood/ascood/eval"
)

// shown is how many images a gallery has.
const shown = 8

// gallery is a row of images with what the network made of them.
type gallery struct {
	Title    string
	Pictures []picture
}

type picture struct {
	Name, Label, Prediction string
	Score                   float64
	Image, Saliency         template.URL
}

// newGallery shows the images that come first in the given order of scores.
// Labels are given where they are of the network's classes.
func newGallery(ctx context.Context, n *eval.Network, saliencyOf, title string, set eval.Set, s eval.Scores, order func(a, b float64) int, labelled bool) (gallery, error) {
	indices := make([]int, len(s.Values))
	for i := range indices {
		indices[i] = i
	}
	slices.SortStableFunc(indices, func(a, b int) int { return order(s.Values[a], s.Values[b]) })
	portraits, err := n.Portraits(ctx, set.Images, indices[:min(shown, len(indices))], saliencyOf)
	if err != nil {
		return gallery{}, fmt.Errorf("%s: %w", set.Name, err)
	}
	g := gallery{Title: title}
	classes := n.Info().Classes
	for _, p := range portraits {
		picture := picture{Name: set.Images.Name(p.Index), Prediction: classes[s.Predictions[p.Index]], Score: s.Values[p.Index]}
		if labelled {
			picture.Label = classes[set.Images.Label(p.Index)]
		}
		if picture.Image, err = encode(photo(p)); err != nil {
			return g, err
		}
		if picture.Saliency, err = encode(saliency(p)); err != nil {
			return g, err
		}
		g.Pictures = append(g.Pictures, picture)
	}
	return g, nil
}

func rising(a, b float64) int  { return cmp.Compare(a, b) }
func falling(a, b float64) int { return cmp.Compare(b, a) }

func photo(p eval.Portrait) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, p.Size, p.Size))
	for i := range p.Size * p.Size {
		img.SetNRGBA(i%p.Size, i/p.Size, color.NRGBA{p.Pixels[3*i], p.Pixels[3*i+1], p.Pixels[3*i+2], 255})
	}
	return img
}

// saliency is the image in dim grays, with the largest absolute gradient of each
// pixel's channels in orange.
func saliency(p eval.Portrait) image.Image {
	area := p.Size * p.Size
	strength, strongest := make([]float32, area), float32(0)
	for i, g := range p.Gradient {
		strength[i%area] = max(strength[i%area], g, -g)
		strongest = max(strongest, strength[i%area])
	}
	img := image.NewNRGBA(image.Rect(0, 0, p.Size, p.Size))
	for i, s := range strength {
		gray := float32(int(p.Pixels[3*i])+int(p.Pixels[3*i+1])+int(p.Pixels[3*i+2])) / 3 * 0.4
		heat := float32(0)
		if strongest > 0 {
			heat = s / strongest
		}
		mix := func(hot float32) uint8 { return uint8(gray*(1-heat) + hot*heat) }
		img.SetNRGBA(i%p.Size, i/p.Size, color.NRGBA{mix(255), mix(160), mix(40), 255})
	}
	return img
}

// encode returns an image as a URL that holds it.
func encode(img image.Image) (template.URL, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", fmt.Errorf("encode picture: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
