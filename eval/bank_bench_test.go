package eval

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ascood/ascood/eval/features"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// BenchmarkBank fits methods to 50,000 training images in a file, with features
// of 512 values and 100 classes, and scores 10,000 images. peak-MiB is what the
// process then needs at most beyond what it had before, on average over the
// rounds; the bank alone has 117 MiB. Of the methods that compare with a bank, product-s is
// what a float32 matrix product of as many operations takes at the machine's peak, by ONNX
// Runtime's own on all cores, and %-of-peak what it is of the whole time.
func BenchmarkBank(b *testing.B) {
	const train, images, dim, classes = 50_000, 10_000, 512, 100
	d := &posthoc.Data{Weight: randomSet(classes, dim, 1).Feature, Bias: make([]float32, classes), Train: randomBank(b, train, dim, classes)}
	queries := randomSet(images, dim, classes)
	for _, name := range []string{"knn", "nnguide", "relation", "mds", "rmds", "vim", "dice", "she", "fdbd"} {
		b.Run(name, func(b *testing.B) {
			peak := 0.0
			var times, products []float64
			for b.Loop() {
				if slices.Contains([]string{"knn", "nnguide", "relation"}, name) {
					b.StopTimer()
					products = append(products, 2*images*train*dim/peakProducts(b))
					b.StartTimer()
				}
				before, start := resetPeak(b), time.Now()
				m, err := posthoc.New(name)
				if err == nil {
					err = posthoc.Fit(m, d)
				}
				if err == nil {
					_, err = ScoreSet(queries, nil, []Entry{{name, m}}, ScanOptions{})
				}
				if err != nil {
					b.Fatal(err)
				}
				peak += memory(b, "VmHWM") - before
				times = append(times, time.Since(start).Seconds())
			}
			b.ReportMetric(peak/float64(b.N), "peak-MiB")
			if products != nil {
				b.ReportMetric(median(products), "product-s")
				b.ReportMetric(100*median(products)/median(times), "%-of-peak")
			}
		})
	}
}

// BenchmarkBankSizes compares 500 images with training images of a ResNet-50, 2,048 values
// and 1,000 classes each, by the methods that keep a bank, together. peak-MiB is as in
// BenchmarkBank; it is to be the same for all sizes. ASCOOD_BANK=1280000 takes another one,
// here ImageNet's, whose file takes 16 GB of the folder for temporary files.
func BenchmarkBankSizes(b *testing.B) {
	const images, dim, classes = 500, 2048, 1000
	sizes := []int{10_000, 20_000, 40_000}
	if given := os.Getenv("ASCOOD_BANK"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil {
			b.Fatal(err)
		}
		sizes = []int{n}
	}
	queries := randomSet(images, dim, classes)
	for _, size := range sizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			d := &posthoc.Data{Weight: randomSet(classes, dim, 1).Feature, Bias: make([]float32, classes), Train: randomBank(b, size, dim, classes)}
			peak := 0.0
			for b.Loop() {
				before := resetPeak(b)
				var methods []Entry
				for _, name := range []string{"knn", "nnguide", "relation"} {
					m := newMethod(b, name)
					if err := posthoc.Fit(m.Method, d); err != nil {
						b.Fatal(err)
					}
					methods = append(methods, m)
				}
				if _, err := ScoreSet(queries, nil, methods, ScanOptions{}); err != nil {
					b.Fatal(err)
				}
				peak += memory(b, "VmHWM") - before
			}
			b.ReportMetric(peak/float64(b.N), "peak-MiB")
		})
	}
}

// peakProducts is how many operations of float32 a second the machine makes at best: in
// products of 1,024x1,024 matrices, one on each core at a time.
func peakProducts(b *testing.B) float64 {
	const size, rounds = 1024, 10
	g := onnx.NewBuilder("product")
	x := g.Input("x", "", onnx.TensorProto_FLOAT, size, size)
	g.Output(g.Rename(g.Op("Gemm", []string{x, x}, onnx.Int("transB", 1)), "y"), "", onnx.TensorProto_FLOAT, size, size)
	m, err := g.Model("ascood", "1")
	if err != nil {
		b.Fatal(err)
	}
	session, err := ort.Open(m, ort.Options{Threads: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer session.Close()
	in := map[string]ort.Value{"x": {Shape: []int{size, size}, Data: randomSet(size, size, 1).Feature.Data}}
	best := math.Inf(1)
	for range rounds {
		start := time.Now()
		var cores errgroup.Group
		for range runtime.GOMAXPROCS(0) {
			cores.Go(func() error {
				_, err := session.Run(in)
				return err
			})
		}
		if err := cores.Wait(); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(start).Seconds())
	}
	return float64(runtime.GOMAXPROCS(0)) * 2 * size * size * size / best
}

func randomBank(b *testing.B, images, dim, classes int) *features.File {
	to, err := features.Create("", "", images)
	if err != nil {
		b.Fatal(err)
	}
	defer to.Discard()
	for range images / 1000 {
		if err := to.Write(randomSet(1000, dim, classes)); err != nil {
			b.Fatal(err)
		}
	}
	f, err := to.Finish()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

func randomSet(images, dim, classes int) *posthoc.Set {
	matrix := func(cols int) posthoc.Matrix {
		m := posthoc.Matrix{Data: make([]float32, images*cols), Cols: cols}
		for i := range m.Data {
			m.Data[i] = float32(rand.NormFloat64())
		}
		return m
	}
	s := &posthoc.Set{Batch: posthoc.Batch{Feature: matrix(dim), Logits: matrix(classes)}, Labels: make([]int, images)}
	for i := range s.Labels {
		s.Labels[i] = i % classes
	}
	return s
}

// resetPeak forgets the most memory that the process has had, and returns what it
// has, in MiB.
func resetPeak(b *testing.B) float64 {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
	return memory(b, "VmRSS")
}

// memory reads a line of the process's status, in MiB.
func memory(b *testing.B, line string) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for text := range bytes.Lines(status) {
		if rest, ok := strings.CutPrefix(string(text), line+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal(fmt.Errorf("no %s in /proc/self/status", line))
	return 0
}
