package gotorch_test

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

// BenchmarkTrainingMemory trains a ResNet-18 of width 16 for 500 steps and
// reports resident memory after step 10 and in the end, and the second over the
// first, which is to stay below 1.02.
func BenchmarkTrainingMemory(b *testing.B) {
	const batch, early, steps = 32, 10, 500
	useAllCores(b)
	for b.Loop() {
		model := gotorch.NewScope()
		trainer := newTrainer(b, model, 16)
		for range early {
			trainer.step(b, batch)
		}
		start := resident(b)
		for range steps - early {
			trainer.step(b, batch)
		}
		end := resident(b)
		model.Close()
		b.ReportMetric(start/1e6, "MB-at-10")
		b.ReportMetric(end/1e6, "MB-at-500")
		b.ReportMetric(end/start, "growth")
	}
}

// BenchmarkTrainingStep is a step of ASCOOD on 64 images of 32x32 pixels with a
// ResNet-18 of width 16.
func BenchmarkTrainingStep(b *testing.B) {
	for name, layout := range map[string]func(gotorch.Tensor) gotorch.Tensor{
		"row-major":     gotorch.Tensor.Contiguous,
		"channels-last": gotorch.Tensor.ChannelsLast,
	} {
		b.Run(name, func(b *testing.B) {
			useAllCores(b)
			model := gotorch.NewScope()
			defer model.Close()
			trainer := newTrainer(b, model, 16)
			trainer.layout = layout
			trainer.step(b, 64)
			for b.Loop() {
				trainer.step(b, 64)
			}
		})
	}
}

// BenchmarkGrad compares the gradient of the images alone with that of all
// weights too.
func BenchmarkGrad(b *testing.B) {
	for _, all := range []bool{false, true} {
		b.Run(map[bool]string{false: "images", true: "images-and-weights"}[all], func(b *testing.B) {
			useAllCores(b)
			model := gotorch.NewScope()
			defer model.Close()
			trainer := newTrainer(b, model, 16)
			for b.Loop() {
				b.StopTimer()
				s := gotorch.NewScope()
				x := gotorch.RandN(s, dims(64, 3, 32, 32)).ChannelsLast().SetRequiresGrad(true)
				score := trainer.net.forward(x, false).Sum()
				score.Item()
				inputs := []gotorch.Tensor{x}
				if all {
					inputs = append(inputs, trainer.net.params...)
				}
				b.StartTimer()
				gotorch.Grad([]gotorch.Tensor{score}, inputs, gotorch.GradOptions{})
				if err := s.Err(); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}

// BenchmarkCall is what an operation costs beside its arithmetic.
func BenchmarkCall(b *testing.B) {
	model := gotorch.NewScope()
	defer model.Close()
	x := gotorch.Ones(model, dims(1))
	for b.Loop() {
		s := gotorch.NewScope(gotorch.NoGrad)
		s.Keep(x).Add(x)
		s.Close()
	}
}

// useAllCores lets libtorch use all cores from this goroutine's thread.
func useAllCores(b *testing.B) {
	runtime.LockOSThread()
	b.Cleanup(runtime.UnlockOSThread)
	if err := gotorch.SetNumThreads(runtime.NumCPU()); err != nil {
		b.Fatal(err)
	}
}

// resident returns the process's resident memory in bytes.
func resident(b *testing.B) float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("resident memory is read from /proc")
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages * os.Getpagesize())
}
