package train

import (
	"errors"
	"log/slog"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
)

// openDevice makes sure that libtorch can compute on a device. Only "auto" may
// choose, and logs what it chose.
func openDevice(d ascood.Device, log *slog.Logger) (gotorch.Device, error) {
	if d.IsAuto() {
		gpu := gotorch.CUDA(0)
		if err := gpu.Available(); err != nil {
			log.Info("device auto: cpu", "no_cuda_because", err)
			return gotorch.CPU, nil
		}
		log.Info("device auto: " + gpu.String())
		return gpu, nil
	}
	device := gotorch.CPU
	if d.IsCUDA() {
		device = gotorch.CUDA(d.Index())
	}
	err := device.Available()
	if errors.Is(err, gotorch.ErrUnavailable) {
		err = ascood.Errorf(ascood.Unavailable, "%s %s: %w", ascood.Field("device"), d, err)
	}
	return device, err
}

// setFlags says to libtorch how to compute. All images have one size, so cuDNN's
// algorithms are worth timing, unless the same ones are to be chosen each time.
func setFlags(c Config, device gotorch.Device, log *slog.Logger) error {
	if c.TF32 && device == gotorch.CPU {
		log.Warn("tf32 does nothing on the CPU, which computes in float32")
	}
	for _, f := range []struct {
		flag gotorch.Flag
		on   bool
	}{
		{gotorch.TF32CuDNN, c.TF32}, {gotorch.TF32CuBLAS, c.TF32},
		{gotorch.Deterministic, c.Deterministic}, {gotorch.BenchmarkCuDNN, !c.Deterministic},
	} {
		if err := f.flag.Set(f.on); err != nil {
			return err
		}
	}
	return nil
}

// tryBF16 makes sure that the device can convolve in bfloat16, and differentiate that.
func tryBF16(device gotorch.Device) error {
	s := gotorch.NewScope()
	defer s.Close()
	x := gotorch.Ones(s, []int{2, 3, 8, 8}, gotorch.BFloat16, device).ChannelsLast().SetRequiresGrad(true)
	weight := gotorch.Ones(s, []int{16, 3, 3, 3}, gotorch.BFloat16, device).SetRequiresGrad(true)
	sum := F.Conv2d(x, weight, gotorch.Tensor{}, F.ConvOptions{Padding: 1}).Sum()
	for _, grad := range gotorch.Grad([]gotorch.Tensor{sum}, []gotorch.Tensor{x, weight}, gotorch.GradOptions{}) {
		grad.Sum().Item() // waits for a GPU
	}
	if err := s.Err(); err != nil {
		return ascood.Errorf(ascood.Unavailable, "%s %s: %s cannot convolve in it: %w", ascood.Field("precision"), BF16, device, err)
	}
	return nil
}
