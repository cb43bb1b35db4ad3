package export_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/onnx"
)

// zooEnv names a folder of torchvision's networks in full size, as
// scripts/reference/zoo.py writes them.
const zooEnv = "ASCOOD_ZOO"

// BenchmarkZoo compares what the gradient, and i-ODIN, take with what a forward pass
// alone does, of which they take at least 2 and 3: on one thread, one image at a time,
// medians of runs that take turns. Without networks in full size it takes the small ones of
// importer/testdata, of which most of the time is overhead.
func BenchmarkZoo(b *testing.B) {
	folder := os.Getenv(zooEnv)
	if folder == "" {
		folder = testmodel.Path("importer", "testdata", "torchvision")
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no networks in %s, error %v", folder, err)
	}
	for _, file := range files {
		b.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(b *testing.B) {
			m, size := artifactOf(b, file, artifact.CPU)
			outputs := [][]string{{artifact.Logits}, {artifact.Logits, artifact.Gradient}, {artifact.IODIN, artifact.Prediction}}
			var sessions []*ort.Session
			for _, wanted := range outputs {
				sessions = append(sessions, openPart(b, m, wanted))
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
			b.ReportMetric(1e3*median(times[1]), "gradient-ms")
			b.ReportMetric(median(times[1])/forward, "gradient/forward")
			b.ReportMetric(median(times[2])/forward, "iodin/forward")
		})
	}
}

// artifactOf exports another program's network for images of the size that it takes.
func artifactOf(tb testing.TB, file string, target artifact.Target) (m *onnx.ModelProto, size int) {
	tb.Helper()
	read, err := importer.Read(file)
	if err != nil {
		tb.Fatal(err)
	}
	shape := read.Graph.Input[0].Type.GetTensorType().Shape.Dim
	size = int(shape[len(shape)-1].GetDimValue())
	pre := testmodel.Square(size)
	net, err := importer.Import(read, importer.Options{Run: ort.Evaluate, Size: size, Mean: pre.Mean, Std: pre.Std, Taken: artifact.Names()})
	if err != nil {
		tb.Fatal(err)
	}
	m, _, err = export.FromNetwork(export.Network{Model: net.Model, Feature: net.Feature, Linear: net.Linear}, export.Options{
		Name: "zoo", Target: target, Preprocess: &pre, Score: artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000, Noise: 0.0014},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m, size
}

// openPart opens the part of an artifact that computes some outputs.
func openPart(tb testing.TB, m *onnx.ModelProto, outputs []string) *ort.Session {
	tb.Helper()
	part, err := onnx.Extract(m, outputs)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := ort.Open(part, ort.Options{Device: ascood.Device{}, Threads: 1})
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
