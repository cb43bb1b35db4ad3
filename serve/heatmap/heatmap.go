// Package heatmap draws where in an image a network's gradient is large.
package heatmap

import (
	"image"
	"image/color"
	"math"
	"slices"
)

// Map is an explanation of an image of S x S pixels.
type Map struct {
	Size     int
	Crop     []uint8   // [S,S,3]: what the network has seen
	Gradient []float32 // [3,S,S], by the pixels
	Marked   int       // element of the gradient that is marked, -1 for none
}

// leastSide is how large maps are at least, so that single pixels can be seen.
const leastSide = 224

// typical is the share of pixels whose gradient is not the strongest colour: a few
// pixels have gradients far beyond all others.
const typical = 0.99

// Draw returns the crop in gray, under red as strong as the gradient is large there: the
// sum over the channels of its absolute values, in relation to the largest but for one in
// a hundred. The marked element has a ring around it. Small crops are enlarged.
func (m Map) Draw() *image.RGBA {
	scale := max(1, (leastSide+m.Size-1)/m.Size)
	img := image.NewRGBA(image.Rect(0, 0, m.Size*scale, m.Size*scale))
	strength := m.strength()
	for y := range m.Size * scale {
		for x := range m.Size * scale {
			p := y/scale*m.Size + x/scale
			img.SetRGBA(x, y, shade(m.Crop[3*p:3*p+3], strength[p]))
		}
	}
	if m.Marked >= 0 {
		_, x, y := m.Element()
		ring(img, x*scale+scale/2, y*scale+scale/2, max(8, scale))
	}
	return img
}

// Element returns where the marked element is.
func (m Map) Element() (channel, x, y int) {
	plane := m.Size * m.Size
	return m.Marked / plane, m.Marked % plane % m.Size, m.Marked % plane / m.Size
}

// strength is 0 to 1 for each pixel.
func (m Map) strength() []float64 {
	plane := m.Size * m.Size
	sums := make([]float64, plane)
	for i, g := range m.Gradient {
		sums[i%plane] += math.Abs(float64(g))
	}
	sorted := slices.Sorted(slices.Values(sums))
	most := sorted[int(typical*float64(plane-1))]
	if most == 0 {
		most = sorted[plane-1]
	}
	for i := range sums {
		if most > 0 {
			sums[i] = min(1, sums[i]/most)
		}
	}
	return sums
}

// shade mixes a pixel's gray, dimmed, with red.
func shade(rgb []uint8, strength float64) color.RGBA {
	gray := 0.299*float64(rgb[0]) + 0.587*float64(rgb[1]) + 0.114*float64(rgb[2])
	base := 40 + 0.6*gray
	mix := func(to float64) uint8 { return uint8(base + strength*(to-base)) }
	return color.RGBA{mix(255), mix(40), mix(20), 255}
}

// ring draws a circle, light within and dark without, which shows on any ground.
func ring(img *image.RGBA, cx, cy, radius int) {
	for y := cy - radius - 3; y <= cy+radius+3; y++ {
		for x := cx - radius - 3; x <= cx+radius+3; x++ {
			distance := math.Hypot(float64(x-cx), float64(y-cy)) - float64(radius)
			switch {
			case !(image.Point{x, y}.In(img.Rect)):
			case math.Abs(distance) < 1:
				img.SetRGBA(x, y, color.RGBA{0, 229, 255, 255})
			case math.Abs(distance) < 2:
				img.SetRGBA(x, y, color.RGBA{0, 0, 0, 255})
			}
		}
	}
}
