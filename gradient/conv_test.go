package gradient

import "testing"

// TestPhaseTaps checks the decomposition of a strided convolution's gradient
// against its definition: input i meets output o at kernel element i + p - o·s.
func TestPhaseTaps(t *testing.T) {
	for _, c := range []struct{ kernel, stride, padding int }{{3, 1, 1}, {3, 2, 1}, {1, 2, 0}, {7, 2, 3}, {2, 3, 0}, {5, 1, 0}} {
		taps, first := phaseTaps(c.kernel, c.stride, c.padding)
		for i := range 4 * c.stride {
			q, r := i/c.stride, i%c.stride
			for o := -8; o < 16; o++ {
				want := i + c.padding - o*c.stride
				if want < 0 || want >= c.kernel {
					want = c.kernel // none
				}
				got := c.kernel
				if at := o - q - first; at >= 0 && at < len(taps[r]) {
					got = taps[r][at]
				}
				if got != want {
					t.Errorf("%+v: input %d, output %d: kernel element %d, want %d", c, i, o, got, want)
				}
			}
		}
	}
}
