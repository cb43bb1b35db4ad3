package gradient

import "github.com/ascood/ascood/onnx"

// blockedChannels is how many channels ONNX Runtime's blocks have, at most.
const blockedChannels = 16

// filter is a convolution of each channel by the same kernel. It is in the blocked layout,
// whatever maps it is given.
func (w *walk) filter(maps string, kernel [2]int, numbers []float32, more ...onnx.Attr) string {
	channels := w.shape(maps)[1].Size
	weight := w.op("Expand", w.Const([]int{1, 1, kernel[0], kernel[1]}, numbers...), w.Int64s(channels, 1, 1, 1))
	return w.Op("Conv", []string{maps, weight}, append(more, onnx.Int("group", channels), onnx.Ints("kernel_shape", kernel[:]...))...)
}
