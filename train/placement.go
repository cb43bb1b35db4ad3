package train

import "github.com/ascood/ascood/gotorch"

// placement is how a network's tensors are kept and computed.
type placement struct {
	device gotorch.Device
	layout layout
	dtype  gotorch.DType // Float32; the tests hold the method to its reference in Float64, where rounding decides nothing
	bf16   bool          // training computes the backbone in BFloat16
}

// place chooses the placement for a run on a device.
func place(device gotorch.Device, c Config) placement {
	return placement{device, layoutFor(device, c), gotorch.Float32, c.Precision == BF16}
}

// layout is the order in memory of images and of convolutions' weights, which
// decides that of the activations.
type layout int

const (
	channelsLast layout = iota // N,H,W,C
	rowMajor                   // N,C,H,W: PyTorch's default
)

// layoutFor chooses the faster layout. On CPUs that is channels-last, by 1.3 to 1.5
// times. On GPUs tensor cores compute in it, in TF32 and bfloat16; strict float32 does
// without them, and can be slower in it than in PyTorch's default. The choice for GPUs
// has not been measured.
func layoutFor(device gotorch.Device, c Config) layout {
	if device == gotorch.CPU || c.TF32 || c.Precision == BF16 {
		return channelsLast
	}
	return rowMajor
}

// arrange brings [N,C,H,W] into the layout.
func (l layout) arrange(t gotorch.Tensor) gotorch.Tensor {
	if l == channelsLast {
		return t.ChannelsLast()
	}
	return t.Contiguous()
}
