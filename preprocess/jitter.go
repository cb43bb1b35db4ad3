package preprocess

import (
	"image"
	"math"
	"math/rand/v2"
)

// contrastive is a random crop with changed colours: brightness, contrast and saturation by
// up to 40%, hue by up to a tenth of the circle, in random order (SimCLR's, in torchvision's
// ColorJitter on PIL images).
func (c Config) contrastive(dst []uint8, img image.Image, least float64, rng *rand.Rand) {
	c.randomCrop(dst, img, least, rng)
	if rng.Float64() < 0.8 {
		factor := func() float32 { return float32(1 + 0.4*(2*rng.Float64()-1)) }
		for _, change := range rng.Perm(4) {
			switch change {
			case 0:
				brightness(dst, factor())
			case 1:
				contrast(dst, factor())
			case 2:
				saturation(dst, factor())
			case 3:
				hue(dst, 0.1*(2*rng.Float64()-1))
			}
		}
	}
	if rng.Float64() < 0.2 {
		saturation(dst, 0)
	}
}

// blend is PIL's: from the degenerate value a at 0 to b at 1 and beyond, cut off.
func blend(a, b uint8, at float32) uint8 {
	v := float32(a) + at*(float32(b)-float32(a))
	return uint8(max(0, min(255, v)))
}

// luma is PIL's gray of a pixel.
func luma(p []uint8) uint8 {
	return uint8((uint32(p[0])*19595 + uint32(p[1])*38470 + uint32(p[2])*7471 + 0x8000) >> 16)
}

func brightness(pix []uint8, by float32) {
	for i, v := range pix {
		pix[i] = blend(0, v, by)
	}
}

// contrast blends with the mean gray.
func contrast(pix []uint8, by float32) {
	sum := 0
	for i := 0; i < len(pix); i += 3 {
		sum += int(luma(pix[i:]))
	}
	mean := uint8(float64(sum)/float64(len(pix)/3) + 0.5)
	for i, v := range pix {
		pix[i] = blend(mean, v, by)
	}
}

// saturation blends with the gray of each pixel.
func saturation(pix []uint8, by float32) {
	for i := 0; i < len(pix); i += 3 {
		gray := luma(pix[i:])
		for k := i; k < i+3; k++ {
			pix[k] = blend(gray, pix[k], by)
		}
	}
}

// hue turns the hue by a share of the circle, in PIL's HSV of bytes.
func hue(pix []uint8, by float64) {
	turn := uint8(int(by * 255)) // as of an overflowing byte
	for i := 0; i < len(pix); i += 3 {
		h, s, v := toHSV(pix[i], pix[i+1], pix[i+2])
		pix[i], pix[i+1], pix[i+2] = fromHSV(h+turn, s, v)
	}
}

func toHSV(r, g, b uint8) (h, s, v uint8) {
	most, least := max(r, g, b), min(r, g, b)
	if most == least {
		return 0, 0, most
	}
	spread := float32(most - least)
	away := func(c uint8) float32 { return float32(most-c) / spread }
	var at float32
	switch most {
	case r:
		at = away(b) - away(g)
	case g:
		at = float32(2 + float64(away(r)) - float64(away(b)))
	default:
		at = float32(4 + float64(away(g)) - float64(away(r)))
	}
	at = float32(math.Mod(float64(at)/6+1, 1))
	return uint8(float64(at) * 255), uint8(float64(spread/float32(most)) * 255), most
}

func fromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	at := float32(float64(h) * 6 / 255)
	share := float32(float64(s) / 255)
	sector := int(math.Floor(float64(at)))
	f := at - float32(sector)
	level := func(less float32) uint8 {
		return uint8(max(0, min(255, math.Round(float64(v)*(1-float64(less))))))
	}
	p, q, t := level(share), level(share*f), level(float32(float64(share)*(1-float64(f))))
	switch sector % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}
