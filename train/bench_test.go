package train

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/preprocess"
)

// stepper makes steps on one batch of random pixels, uploaded anew each time, as
// the loop does.
type stepper struct {
	learner *learner
	input   input
	pixels  []uint8
	labels  []int64
	at      when
}

func newStepper(tb testing.TB, scope *gotorch.Scope, c Config, size, batch int) *stepper {
	tb.Helper()
	c.Preprocess = preprocess.Config{PreSize: size, ImageSize: size, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.5, .5, .5}}
	g, err := models.New(c.spec(10), size)
	if err != nil {
		tb.Fatal(err)
	}
	net, err := newNetwork(scope, g, initial(g, c.scales(), 1), place(gotorch.CPU, c))
	if err != nil {
		tb.Fatal(err)
	}
	l, err := newLearner(c, net, size, 1e6)
	if err != nil {
		tb.Fatal(err)
	}
	s := &stepper{learner: l, input: newInput(scope, c.Preprocess, place(gotorch.CPU, c)), pixels: make([]uint8, batch*size*size*3), at: when{epoch: 1}}
	rng := random(1, forOrder, 0)
	for i := range s.pixels {
		s.pixels[i] = uint8(rng.Uint32())
	}
	for range batch {
		s.labels = append(s.labels, int64(rng.IntN(10)))
	}
	return s
}

func (st *stepper) step(tb testing.TB) {
	tb.Helper()
	s := gotorch.NewScope()
	defer s.Close()
	x, y := st.input.images(s, st.pixels, len(st.labels)), st.input.labels(s, st.labels)
	if _, err := st.learner.step(st.learner.at(s, x, y, st.at)); err != nil {
		tb.Fatal(err)
	}
	st.at.step++
}

// useThreads has the goroutine stay on its thread, as a run does, and libtorch use so many.
// A function that b.Run starts has a goroutine of its own.
func useThreads(b *testing.B, n int) {
	b.Helper()
	runtime.LockOSThread()
	b.Cleanup(runtime.UnlockOSThread)
	if err := gotorch.SetNumThreads(n); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStep trains resnet18_32x32 of width 16 on 28x28 images.
func BenchmarkStep(b *testing.B) {
	for _, method := range []string{MethodASCOOD, MethodCE} {
		for _, batch := range []int{64, 128} {
			b.Run(fmt.Sprintf("%s/batch=%d", method, batch), func(b *testing.B) {
				useThreads(b, runtime.NumCPU())
				scope := gotorch.NewScope()
				defer scope.Close()
				c := Default(OODGradient)
				c.Method, c.Arch, c.Width = method, "resnet18_32x32", 16
				st := newStepper(b, scope, c, 28, batch)
				st.step(b)
				for b.Loop() {
					st.step(b)
				}
				b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

// timed are the networks whose steps are timed, with the side of their images in pixels.
var timed = []struct {
	arch               string
	width, size, batch int
}{
	{"resnet18_32x32", 16, 32, 128},
	{"resnet18_32x32", 64, 32, 128},
	{"resnet18_224x224", 64, 224, 16},
}

// BenchmarkStepTypes is a step of cross-entropy, and of ASCOOD with each type of outliers, on
// all cores.
func BenchmarkStepTypes(b *testing.B) {
	for _, net := range timed {
		for _, kind := range append([]string{MethodCE}, OODTypes()...) {
			b.Run(fmt.Sprintf("%s/width=%d/%s", net.arch, net.width, kind), func(b *testing.B) {
				useThreads(b, runtime.NumCPU())
				scope := gotorch.NewScope()
				defer scope.Close()
				c := Default(OODGradient)
				if kind == MethodCE {
					c.Method = MethodCE
				} else {
					c = Default(kind)
				}
				c.Arch, c.Width = net.arch, net.width
				st := newStepper(b, scope, c, net.size, net.batch)
				st.step(b)
				for b.Loop() {
					st.step(b)
				}
				b.ReportMetric(float64(b.N*net.batch)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}

// BenchmarkResNet18At224 sets the loading of photographs of 400x300 pixels, with
// the published augmentation, beside steps of ResNet-18 on them.
func BenchmarkResNet18At224(b *testing.B) {
	b.Run("load", func(b *testing.B) {
		photos, err := dataset.OpenImglist(filepath.Join("..", "preprocess", "testdata", "crops", "photo.txt"), filepath.Join("..", "preprocess", "testdata", "crops"))
		if err != nil {
			b.Fatal(err)
		}
		pre, err := preprocess.Preset("waterbirds")
		if err != nil {
			b.Fatal(err)
		}
		augment, err := pre.Augmentation("largescale")
		if err != nil {
			b.Fatal(err)
		}
		order := make([]int, b.N)
		b.ResetTimer()
		for _, err := range dataset.Batches(b.Context(), photos, order, dataset.LoadOptions{Config: pre, Augment: augment, BatchSize: 64}) {
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
	})
	for _, method := range []string{MethodASCOOD, MethodCE} {
		const batch = 16
		b.Run(fmt.Sprintf("step/%s/batch=%d", method, batch), func(b *testing.B) {
			useThreads(b, runtime.NumCPU())
			scope := gotorch.NewScope()
			defer scope.Close()
			c := Default(OODGradient)
			c.Method, c.Arch = method, "resnet18_224x224"
			st := newStepper(b, scope, c, 224, batch)
			st.step(b)
			for b.Loop() {
				st.step(b)
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// BenchmarkMemory makes 500 steps and reports how much memory of the process was
// resident after the 10th and after the last.
func BenchmarkMemory(b *testing.B) {
	useThreads(b, runtime.NumCPU())
	scope := gotorch.NewScope()
	defer scope.Close()
	c := Default(OODGradient)
	c.Arch, c.Width = "resnet18_32x32", 8
	st := newStepper(b, scope, c, 28, 32)
	for range 10 {
		st.step(b)
	}
	early := resident(b)
	for b.Loop() {
		for st.at.step < 500 {
			st.step(b)
		}
	}
	late := resident(b)
	b.ReportMetric(early, "MB-step-10")
	b.ReportMetric(late, "MB-step-500")
	b.ReportMetric(100*(late/early-1), "%-growth")
}

// resident is the process's resident memory in MB.
func resident(tb testing.TB) float64 {
	tb.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		tb.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / 1e6
}
