package eval

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/eval/features"
	"github.com/ascood/ascood/posthoc"
)

// BenchmarkBank fits methods to 50,000 training images in a file, with features
// of 512 values and 100 classes, and scores 10,000 images. peak-MiB is what the
// process then needs at most beyond what it had before, on average over the
// rounds; the bank alone has 117 MiB.
func BenchmarkBank(b *testing.B) {
	const train, images, dim, classes = 50_000, 10_000, 512, 100
	d := &posthoc.Data{Weight: randomSet(classes, dim, 1).Feature, Bias: make([]float32, classes), Train: randomBank(b, train, dim, classes)}
	queries := randomSet(images, dim, classes)
	for _, name := range []string{"knn", "nnguide", "relation", "mds", "rmds", "vim", "dice", "she", "fdbd"} {
		b.Run(name, func(b *testing.B) {
			peak := 0.0
			for b.Loop() {
				before := resetPeak(b)
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
			}
			b.ReportMetric(peak/float64(b.N), "peak-MiB")
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
