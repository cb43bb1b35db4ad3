package train

import (
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/preprocess"
)

// input moves batches to the device. Images cross as bytes and are converted
// and normalised there.
type input struct {
	size      int
	mean, std gotorch.Tensor // [1,3,1,1], of pixel/255
	at        placement
}

func newInput(s *gotorch.Scope, c preprocess.Config, at placement) input {
	channels := func(v [3]float64) gotorch.Tensor {
		return gotorch.FromSlice(s, []float32{float32(v[0]), float32(v[1]), float32(v[2])}, 1, 3, 1, 1).To(at.device)
	}
	return input{size: c.ImageSize, mean: channels(c.Mean), std: channels(c.Std), at: at}
}

// images returns n images of pixels [n,size,size,3] normalised, as [n,3,size,size].
// They come in channels-last order.
func (in input) images(s *gotorch.Scope, pixels []uint8, n int) gotorch.Tensor {
	x := gotorch.FromSlice(s, pixels, n, in.size, in.size, 3).Send(in.at.device).Permute(0, 3, 1, 2)
	return in.at.layout.arrange(x.To(gotorch.Float32).DivScalar(255).Sub(in.mean).Div(in.std))
}

func (in input) labels(s *gotorch.Scope, labels []int64) gotorch.Tensor {
	return gotorch.FromSlice(s, labels, len(labels)).Send(in.at.device)
}
