package train

import (
	"slices"
	"testing"

	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/preprocess"
)

func TestLayoutFor(t *testing.T) {
	for _, test := range []struct {
		device gotorch.Device
		config Config
		want   layout
	}{
		{gotorch.CPU, Config{Precision: Float32}, channelsLast},
		{gotorch.CPU, Config{Precision: BF16}, channelsLast},
		{gotorch.CUDA(0), Config{Precision: Float32}, rowMajor},
		{gotorch.CUDA(1), Config{Precision: Float32, TF32: true}, channelsLast},
		{gotorch.CUDA(0), Config{Precision: BF16}, channelsLast},
	} {
		if got := layoutFor(test.device, test.config); got != test.want {
			t.Errorf("%v, %s, TF32 %v: layout %d, want %d", test.device, test.config.Precision, test.config.TF32, got, test.want)
		}
	}
}

// TestImages: pixels become the same images in either layout.
func TestImages(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	c := preprocess.Config{ImageSize: 2, Mean: [3]float64{0, 0, 1}, Std: [3]float64{1, .5, 1}}
	pixels := []uint8{0, 255, 255, 51, 0, 0, 102, 0, 255, 255, 51, 0}
	want := []float32{0, .2, .4, 1, 2, 0, 0, .4, 0, -1, 0, -1}
	for _, order := range []layout{channelsLast, rowMajor} {
		in := newInput(s, c, placement{layout: order, dtype: gotorch.Float32})
		x := in.images(s, pixels, 1)
		if got := gotorch.ToSlice[float32](x); !slices.Equal(got, want) {
			t.Errorf("layout %d: %v, want %v", order, got, want)
		}
		if x.IsChannelsLast() != (order == channelsLast) || x.IsContiguous() != (order == rowMajor) {
			t.Errorf("layout %d: channels last %v, row-major %v", order, x.IsChannelsLast(), x.IsContiguous())
		}
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}
