package models

import (
	"fmt"

	"github.com/ascood/ascood/onnx"
)

// denseNet121 is torchvision's DenseNet-121 (Huang et al. 2017): 64 channels at first,
// half as many more by each layer.
func denseNet121(m module, x string, width int) string {
	f := m.in("features")
	x = f.conv("conv0", x, conv{out: width, kernel: 7, stride: 2, padding: 3})
	x = f.maxPool(f.relu(f.norm("norm0", x)), 3, 2, 1)
	growth := width / 2
	for b, layers := range []int{6, 12, 24, 16} {
		if b > 0 {
			x = transition(f.in(fmt.Sprintf("transition%d", b)), x)
		}
		for l := range layers {
			x = denseLayer(f.in(fmt.Sprintf("denseblock%d.denselayer%d", b+1, l+1)), x, growth)
		}
	}
	return f.average(f.relu(f.norm("norm5", x)))
}

// denseLayer puts growth channels after those that there are.
func denseLayer(m module, x string, growth int) string {
	y := m.conv("conv1", m.relu(m.norm("norm1", x)), conv{out: 4 * growth, kernel: 1, stride: 1})
	y = m.conv("conv2", m.relu(m.norm("norm2", y)), conv{out: growth, kernel: 3, stride: 1, padding: 1})
	return m.op("Concat", []string{x, y}, onnx.Int("axis", 1))
}

// transition halves channels and resolution.
func transition(m module, x string) string {
	x = m.conv("conv", m.relu(m.norm("norm", x)), conv{out: m.dim(x, 1) / 2, kernel: 1, stride: 1})
	return m.op("AveragePool", []string{x}, window(2, 2, 0)...)
}
