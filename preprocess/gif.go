package preprocess

import (
	"image"
	"image/color"
	"slices"
)

// onScreen places the first frame of a GIF on the file's screen, which it may
// cover in part only. As in PIL, what it leaves out has the transparent colour,
// or the palette's first if there is none.
func onScreen(frame *image.Paletted, config image.Config) *image.Paletted {
	palette, background := restoreTransparent(frame.Palette, config.ColorModel)
	screen := image.Rect(0, 0, config.Width, config.Height)
	if frame.Rect == screen {
		return &image.Paletted{Pix: frame.Pix, Stride: frame.Stride, Rect: screen, Palette: palette}
	}
	whole := image.NewPaletted(screen, palette)
	for i := range whole.Pix {
		whole.Pix[i] = background
	}
	width := frame.Rect.Dx()
	for y := range frame.Rect.Dy() {
		at := whole.PixOffset(frame.Rect.Min.X, frame.Rect.Min.Y+y)
		copy(whole.Pix[at:at+width], frame.Pix[y*frame.Stride:])
	}
	return whole
}

// restoreTransparent finds the transparent colour of a frame's palette. Package
// gif has blanked it; where the frame uses the file's global palette its colour
// can be had from there, in a palette of the frame's own it is lost and black.
func restoreTransparent(palette color.Palette, model color.Model) (color.Palette, uint8) {
	index := slices.IndexFunc(palette, func(c color.Color) bool {
		_, _, _, alpha := c.RGBA()
		return alpha == 0
	})
	if index < 0 {
		return palette, 0
	}
	global, _ := model.(color.Palette)
	if index >= len(global) {
		return palette, uint8(index)
	}
	restored := slices.Clone(palette)
	restored[index] = global[index]
	if slices.Equal(restored, global) {
		palette = restored
	}
	return palette, uint8(index)
}
