package heatmap

import (
	"image/color"
	"testing"
)

// The colour follows the gradient, and the ring is around the marked element.
func TestDraw(t *testing.T) {
	const size = 16
	m := Map{size, make([]uint8, 3*size*size), make([]float32, 3*size*size), 2*size*size + 3*size + 5}
	m.Gradient[m.Marked] = -4
	for i := range 3 { // with it one in a hundred
		m.Gradient[2*size+i] = 4
	}
	m.Gradient[0] = 1
	if channel, x, y := m.Element(); channel != 2 || x != 5 || y != 3 {
		t.Errorf("the marked element is in channel %d at %d, %d", channel, x, y)
	}
	img := m.Draw()
	scale := img.Rect.Dx() / size
	if img.Rect.Dx() < leastSide || img.Rect.Dx() != img.Rect.Dy() {
		t.Fatalf("%v", img.Rect)
	}
	at := func(x, y int) color.RGBA { return img.RGBAAt(x*scale+scale/2, y*scale+scale/2) }
	cold, warm, hot := at(7, 7), at(0, 0), at(5, 3)
	if cold.R != cold.G || cold.R != cold.B {
		t.Errorf("without a gradient: %v", cold)
	}
	if hot != (color.RGBA{255, 40, 20, 255}) || warm.R <= cold.R || warm.R >= hot.R {
		t.Errorf("gradients of 4 and 1: %v and %v", hot, warm)
	}
	if ring := img.RGBAAt(5*scale+scale/2+max(8, scale), 3*scale+scale/2); ring != (color.RGBA{0, 229, 255, 255}) {
		t.Errorf("the ring is %v", ring)
	}
}

// A flat image, or a ring beyond the border, is drawn all the same.
func TestDrawExtremes(t *testing.T) {
	for _, marked := range []int{-1, 0, 2} {
		m := Map{1, []uint8{255, 255, 255}, []float32{0, 0, 0}, marked}
		if got := m.Draw().RGBAAt(0, 0); got.A != 255 {
			t.Errorf("marked %d: %v", marked, got)
		}
	}
}
