package ioodin_test

import (
	"fmt"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
)

// BenchmarkScore times one thread on the published networks with random weights.
// msp is one forward pass; i-ODIN is two and a gradient, so three at best.
func BenchmarkScore(b *testing.B) {
	for _, net := range []struct {
		arch string
		size int
	}{
		{"resnet18_32x32", 32},
		{"resnet18_224x224", 224},
	} {
		for _, batch := range []int{1, 16} {
			for _, method := range artifact.ScoreNames() {
				b.Run(fmt.Sprintf("%s/batch%d/%s", net.arch, batch, method), func(b *testing.B) {
					m := openRandom(b, models.Spec{Arch: net.arch}, net.size, method, 1)
					images := make([][]uint8, batch)
					for i := range images {
						images[i] = testmodel.RandomCrop(net.size)
					}
					for b.Loop() {
						if _, err := m.Score(b.Context(), images); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "images/s")
				})
			}
		}
	}
}

// openRandom opens a network of ten classes with random weights.
func openRandom(tb testing.TB, spec models.Spec, size int, method artifact.ScoreName, threads int) *ioodin.Model {
	tb.Helper()
	spec.Classes, spec.Head = 10, models.HeadASCOOD
	model, meta := testmodel.Random(tb, spec, testmodel.Square(size), method)
	m, err := ioodin.New(model, meta, ioodin.Options{Threads: threads})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return m
}
