package models

import "fmt"

// efficientNetB0 is torchvision's EfficientNet-B0 (Tan and Le 2019) without its stochastic
// depth. At its published width of 32 the feature has 1280 values; other widths scale all
// channels with the first ones.
func efficientNetB0(m module, x string, width int) string {
	scale := float64(width) / 32
	x = m.siluConv("features.0", x, conv{out: width, kernel: 3, stride: 2, padding: 1})
	for s, stage := range []struct{ expand, kernel, channels, blocks, stride int }{
		{1, 3, 16, 1, 1}, {6, 3, 24, 2, 2}, {6, 5, 40, 2, 2}, {6, 3, 80, 3, 2}, {6, 5, 112, 3, 1}, {6, 5, 192, 4, 2}, {6, 3, 320, 1, 1},
	} {
		out, stride := inEights(float64(stage.channels)*scale), stage.stride
		for i := range stage.blocks {
			x = squeezedResidual(m.in(fmt.Sprintf("features.%d.%d.block", s+1, i)), x, stage.expand, stage.kernel, out, stride)
			stride = 1
		}
	}
	return m.average(m.siluConv("features.8", x, conv{out: 4 * m.dim(x, 1), kernel: 1, stride: 1}))
}

// squeezedResidual is an inverted residual whose channels are weighed by what they have
// on average (squeeze and excitation, Hu et al. 2018).
func squeezedResidual(m module, x string, expand, kernel, out, stride int) string {
	in := m.dim(x, 1)
	wide, y, at := in*expand, x, 0
	if expand != 1 {
		y, at = m.siluConv("0", y, conv{out: wide, kernel: 1, stride: 1}), 1
	}
	y = m.siluConv(index(at), y, conv{out: wide, kernel: kernel, stride: stride, padding: kernel / 2, groups: wide})
	y = m.excite(index(at+1), y, max(1, in/4))
	last := m.in(index(at + 2))
	y = last.norm("1", last.conv("0", y, conv{out: out, kernel: 1, stride: 1}))
	if stride == 1 && in == out {
		return m.add(x, y)
	}
	return y
}

// excite multiplies each channel by a number that two layers make of all averages.
func (m module) excite(name, x string, squeezed int) string {
	l := m.in(name)
	y := l.op("GlobalAveragePool", []string{x})
	y = l.silu(l.conv("fc1", y, conv{out: squeezed, kernel: 1, stride: 1, bias: true}))
	y = l.conv("fc2", y, conv{out: m.dim(x, 1), kernel: 1, stride: 1, bias: true})
	return l.op("Mul", []string{x, l.op("Sigmoid", []string{y})})
}

// siluConv is a convolution, normalised, and SiLU.
func (m module) siluConv(name string, x string, c conv) string {
	l := m.in(name)
	return l.silu(l.norm("1", l.conv("0", x, c)))
}

func (m module) silu(x string) string { return m.op("Mul", []string{x, m.op("Sigmoid", []string{x})}) }
