package export_test

import (
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/onnx"
)

// zooEnv names a folder of torchvision's networks in full size, as
// scripts/reference/zoo.py writes them.
const zooEnv = "ASCOOD_ZOO"

// BenchmarkZoo compares what the forward pass, the gradient with it, and i-ODIN take, with our own operators, with
// what ONNX Runtime's forward pass alone does: on one thread, one image at a time, medians of
// runs that take turns. Without networks in full size it takes the small ones of
// importer/testdata, of which most of the time is overhead.
func BenchmarkZoo(b *testing.B) {
	for name, file := range zoo(b) {
		b.Run(name, func(b *testing.B) {
			m, size := artifactOf(b, file, artifact.CPU)
			sessions := []*ort.Session{openPart(b, m, false, artifact.Logits)}
			for _, wanted := range [][]string{{artifact.Logits}, {artifact.Logits, artifact.Gradient}, {artifact.IODIN, artifact.Prediction}} {
				sessions = append(sessions, openPart(b, m, true, wanted...))
			}
			pixels := ort.Value{Shape: []int{1, size, size, 3}, Data: testmodel.RandomCrop(size)}
			times := make([][]time.Duration, len(sessions))
			for b.Loop() {
				for i, s := range sessions {
					start := time.Now()
					if _, err := s.Run(map[string]ort.Value{artifact.Pixels: pixels}); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(start))
				}
			}
			forward := median(times[0])
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e3*forward, "forward-ms")
			b.ReportMetric(median(times[1])/forward, "own/forward")
			b.ReportMetric(median(times[2])/forward, "gradient/forward")
			b.ReportMetric(median(times[3])/forward, "iodin/forward")
		})
	}
}

// BenchmarkImport exports each network of BenchmarkZoo, from the file to the artifact in
// memory: how long that takes, and by how much the process grows meanwhile, at most.
func BenchmarkImport(b *testing.B) {
	for name, file := range zoo(b) {
		b.Run(name, func(b *testing.B) {
			var grown int
			for b.Loop() {
				debug.FreeOSMemory()
				grown = max(grown, growth(func() { artifactOf(b, file, artifact.CPU) }))
			}
			b.ReportMetric(float64(grown)/(1<<20), "peak-MiB")
		})
	}
}

// growth is by how many bytes of memory the process grows while f runs.
func growth(f func()) int {
	done, most := make(chan struct{}), make(chan int)
	before := resident()
	go func() {
		highest := before
		for {
			highest = max(highest, resident())
			select {
			case <-done:
				most <- highest - before
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return <-most
}

// resident is how much memory the process has.
func resident() int {
	text, _ := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(text)); len(fields) > 1 {
		pages, _ := strconv.Atoi(fields[1])
		return pages * os.Getpagesize()
	}
	return 0
}

// zoo are files of networks by name, in the names' order.
func zoo(b *testing.B) iter.Seq2[string, string] {
	b.Helper()
	folder := os.Getenv(zooEnv)
	if folder == "" {
		folder = testmodel.Path("importer", "testdata", "torchvision")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no networks in %s, error %v", folder, err)
	}
	return func(yield func(name, file string) bool) {
		for _, file := range files {
			if !yield(strings.TrimSuffix(filepath.Base(file), ".onnx"), file) {
				return
			}
		}
	}
}

// artifactOf exports another program's network for images of the size that it takes.
func artifactOf(tb testing.TB, file string, target artifact.Target) (m *onnx.ModelProto, size int) {
	tb.Helper()
	read, err := importer.Read(file)
	if err != nil {
		tb.Fatal(err)
	}
	m, meta := testmodel.Imported(tb, read, target)
	return m, meta.Preprocess.ImageSize
}

// openPart opens the part of an artifact that computes some outputs, with our own operators or without.
func openPart(tb testing.TB, m *onnx.ModelProto, own bool, outputs ...string) *ort.Session {
	tb.Helper()
	part, err := onnx.Extract(m, outputs)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := ort.Open(part, ort.Options{Device: ascood.Device{}, Threads: 1, Own: own})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return times[len(times)/2].Seconds()
}
