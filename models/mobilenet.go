package models

import "fmt"

// mobileNetV2 is torchvision's MobileNetV2 (Sandler et al. 2018). At its published width
// of 32 the feature has 1280 values; other widths scale all channels with the first ones.
func mobileNetV2(m module, x string, width int) string {
	scale := float64(width) / 32
	x = m.mobileConv("features.0", x, conv{out: width, kernel: 3, stride: 2, padding: 1})
	at := 1
	for _, stage := range []struct{ expand, channels, blocks, stride int }{
		{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
	} {
		out, stride := inEights(float64(stage.channels)*scale), stage.stride
		for range stage.blocks {
			x = invertedResidual(m.in(fmt.Sprintf("features.%d.conv", at)), x, stage.expand, out, stride)
			stride, at = 1, at+1
		}
	}
	return m.average(m.mobileConv("features.18", x, conv{out: inEights(1280 * max(1, scale)), kernel: 1, stride: 1}))
}

// invertedResidual widens, filters each channel by itself, and narrows again.
func invertedResidual(m module, x string, expand, out, stride int) string {
	in := m.dim(x, 1)
	wide, y, at := in*expand, x, 0
	if expand != 1 {
		y, at = m.mobileConv("0", y, conv{out: wide, kernel: 1, stride: 1}), 1
	}
	y = m.mobileConv(index(at), y, conv{out: wide, kernel: 3, stride: stride, padding: 1, groups: wide})
	y = m.norm(index(at+2), m.conv(index(at+1), y, conv{out: out, kernel: 1, stride: 1}))
	if stride == 1 && in == out {
		return m.add(x, y)
	}
	return y
}

// mobileConv is a convolution, normalised, and cut off below 0 and above 6.
func (m module) mobileConv(name string, x string, c conv) string {
	l := m.in(name)
	return m.relu6(l.norm("1", l.conv("0", x, c)))
}

func (m module) relu6(x string) string {
	return m.op("Clip", []string{x, m.b.Scalar(0), m.b.Scalar(6)})
}

// inEights rounds a number of channels to a multiple of 8 that is at least 90 % of it.
func inEights(channels float64) int {
	rounded := max(8, int(channels+4)/8*8)
	if float64(rounded) < 0.9*channels {
		rounded += 8
	}
	return rounded
}
