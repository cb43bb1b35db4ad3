package ioodin_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/pytorch"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

// BenchmarkScoring sets scores beside ONNX Runtime's forward pass of the network alone, and
// beside Debian's python3-torch as in scripts/reference/score_speed.py, where that is
// installed. Networks have random weights; those of the last two are imported, as from
// another program. All sides take turns; it reports medians, in ms an image, medians of the
// quotients of each turn, and how far apart the quartiles of iodin are, in percent of its median.
func BenchmarkScoring(b *testing.B) {
	for _, batch := range []int{1, 16} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			for _, net := range []struct {
				arch        string
				width, size int
				imported    bool
			}{
				{"resnet18_32x32", 64, 32, false},
				{"resnet18_224x224", 64, 224, false},
				{"resnet50", 64, 224, false},
				{"mobilenet_v2", 32, 224, true},
				{"vit_b_16", 192, 224, true}, // ViT-Ti/16
			} {
				name := net.arch
				if net.width == 192 {
					name = "vit_tiny_16"
				}
				b.Run(name, func(b *testing.B) {
					for _, threads := range []int{1, 2} {
						b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
							spec := models.Spec{Arch: net.arch, Width: net.width, Classes: 10, Head: models.HeadLinear}
							s := newScoring(b, spec, net.size, net.imported, batch, threads)
							if pytorch.Has("torch", "torchvision") {
								s.addTorch(pytorch.Start(b, "score_speed.py", net.arch, strconv.Itoa(net.width), strconv.Itoa(net.size), strconv.Itoa(batch), strconv.Itoa(threads)))
							}
							s.run(b)
						})
					}
				})
			}
		})
	}
}

// scoring is what takes turns with a batch.
type scoring struct {
	batch int
	sides []string
	make  map[string]func(tb testing.TB) (seconds float64)
}

// scored are the scores that take turns; msp is our forward pass.
var scored = []artifact.ScoreName{artifact.ScoreMSP, artifact.ScoreODIN, artifact.ScoreIODIN, artifact.ScoreIODINFast}

func newScoring(b *testing.B, spec models.Spec, size int, imported bool, batch, threads int) *scoring {
	s := &scoring{batch, nil, map[string]func(testing.TB) float64{}}
	plain := plainNetwork(b, spec, size)
	s.add("forward", forward(b, plain, size, batch, threads))
	crops := make([][]uint8, batch)
	for i := range crops {
		crops[i] = testmodel.RandomCrop(size)
	}
	var model *onnx.ModelProto
	var meta *artifact.Metadata
	if imported {
		model, meta = testmodel.Imported(b, plain, artifact.CPU)
	} else {
		model, meta = testmodel.Random(b, spec, testmodel.Square(size), artifact.ScoreIODIN)
	}
	for _, name := range scored {
		score, err := artifact.DefaultScore(name)
		if err != nil {
			b.Fatal(err)
		}
		m, err := ioodin.New(model, meta, ioodin.Options{Threads: threads, Score: &score})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { m.Close() })
		s.add(string(name), func() error {
			_, err := m.Score(b.Context(), crops)
			return err
		})
	}
	return s
}

// plainNetwork is a network in a file of its own, as programs that train write it.
func plainNetwork(tb testing.TB, spec models.Spec, size int) *onnx.ModelProto {
	tb.Helper()
	network, err := models.New(spec, size)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := network.Model(testmodel.RandomWeights(network))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// forward opens ONNX Runtime's forward pass of a network.
func forward(b *testing.B, m *onnx.ModelProto, size, batch, threads int) func() error {
	session, err := ort.Open(m, ort.Options{Threads: threads})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { session.Close() })
	image := ort.Value{Shape: []int{batch, 3, size, size}, Data: make([]float32, batch*3*size*size)}
	for i := range image.Floats() {
		image.Floats()[i] = float32(math.Sin(float64(i)))
	}
	return func() error {
		_, err := session.Run(map[string]ort.Value{m.Graph.Input[0].Name: image})
		return err
	}
}

func (s *scoring) add(name string, run func() error) {
	s.sides = append(s.sides, name)
	s.make[name] = func(tb testing.TB) float64 {
		start := time.Now()
		if err := run(); err != nil {
			tb.Fatal(err)
		}
		return time.Since(start).Seconds()
	}
}

func (s *scoring) addTorch(p *pytorch.Process) {
	for _, side := range []string{"expert forward", "expert iodin", "expert iodin_fast", "reference iodin", "reference iodin_fast"} {
		s.sides = append(s.sides, side)
		s.make[side] = func(tb testing.TB) float64 { return p.Ask(tb, side)[0] }
	}
}

func (s *scoring) run(b *testing.B) {
	for _, side := range s.sides { // what is slow once
		s.make[side](b)
	}
	times := map[string][]float64{}
	for b.Loop() {
		for _, side := range s.sides {
			times[side] = append(times[side], s.last(b, side))
		}
	}
	b.ReportMetric(0, "ns/op") // all sides together say nothing
	perImage := func(side, unit string) {
		b.ReportMetric(1e3*quantile(times[side], .5)/float64(s.batch), unit)
	}
	over := func(above, below, unit string) {
		if times[above] == nil || times[below] == nil {
			return
		}
		quotients := make([]float64, len(times[above]))
		for i, t := range times[above] {
			quotients[i] = t / times[below][i]
		}
		b.ReportMetric(quantile(quotients, .5), unit)
	}
	perImage("forward", "forward-ms")
	for _, name := range scored {
		perImage(string(name), string(name)+"-ms")
		over(string(name), "forward", string(name)+"/forward")
	}
	iodin := times[string(artifact.ScoreIODIN)]
	b.ReportMetric(100*(quantile(iodin, .75)-quantile(iodin, .25))/quantile(iodin, .5), "spread-%")
	if times["expert forward"] == nil {
		return
	}
	perImage("expert forward", "expert-forward-ms")
	over("expert forward", "forward", "expert/forward")
	over("expert iodin", string(artifact.ScoreIODINFast), "expert-exact/iodin_fast")
	for _, name := range []artifact.ScoreName{artifact.ScoreIODIN, artifact.ScoreIODINFast} {
		for _, form := range []string{"expert", "reference"} {
			perImage(fmt.Sprint(form, " ", name), fmt.Sprint(form, "-", name, "-ms"))
			over(fmt.Sprint(form, " ", name), string(name), fmt.Sprint(form, "/", name))
		}
	}
}

// last is how long a side takes when it has just been at work, as in a server, and has its
// weights in the caches: the last of as many batches as make four images.
func (s *scoring) last(b *testing.B, side string) (seconds float64) {
	for images := 0; images < 4; images += s.batch {
		seconds = s.make[side](b)
	}
	return seconds
}

// quantile of numbers, between neighbours in proportion.
func quantile(v []float64, q float64) float64 {
	v = slices.Sorted(slices.Values(v))
	at := q * float64(len(v)-1)
	i := int(at)
	j := min(i+1, len(v)-1)
	return v[i] + (at-float64(i))*(v[j]-v[i])
}
