package eval

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/cudastub"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// TestPlacement opens all graphs that this module opens, of every architecture, on the
// CUDA provider, without a GPU: every node must run there, and none may copy between GPU
// and CPU.
func TestPlacement(t *testing.T) {
	if !cudastub.Here() {
		cudastub.Place(t, os.Getenv(ort.LibraryEnv))
		return
	}
	ort.OnlyPlace()
	for _, arch := range models.Archs() {
		for _, head := range models.Heads() {
			if arch != "resnet18_32x32" && head != models.HeadLinear && head != models.HeadASCOOD {
				continue // what they add does not depend on the architecture
			}
			t.Run(arch+" "+string(head), func(t *testing.T) {
				openAll(t, models.Spec{Arch: arch, Width: testmodel.Narrow(arch), Classes: 10, Head: head})
			})
		}
	}
}

// openAll opens the artifact as exported and every part that programs and methods take
// of it.
func openAll(t *testing.T, spec models.Spec) {
	size := map[string]int{"lenet": 28, "resnet18_32x32": 32}[spec.Arch]
	if size == 0 {
		size = 224
	}
	opt := ioodin.Options{Device: ascood.CUDA(0)}
	m, d := testmodel.Random(t, spec, testmodel.Square(size), artifact.ScoreIODIN)
	whole, err := ort.Open(m, ort.Options{Device: opt.Device})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	for _, name := range artifact.ScoreNames() {
		score, err := artifact.DefaultScore(name)
		if err != nil {
			t.Fatal(err)
		}
		opt.Score = &score
		model, err := ioodin.New(m, d, opt)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		defer model.Close()
	}
	n, err := NewNetwork(m, d, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, name := range posthoc.Names() {
		openParts(t, n, name)
	}
	if _, err := n.graph("", []string{artifact.Gradient}); err != nil { // Portraits
		t.Error(err)
	}
	if size == 32 {
		openShipped(t, n, opt)
	}
}

// openShipped opens the artifact with each method as its score.
func openShipped(t *testing.T, n *Network, opt ioodin.Options) {
	d := randomData(t, n)
	var all []Entry
	for _, name := range posthoc.Names() {
		m := testmodel.Method(t, name)
		of := testmodel.HeadOf(m)
		if (of == "" || len(of.Outputs()) > 0 && n.has(of.Outputs()[0])) && (d.Weight.Data != nil || !m.Needs().Linear) {
			all = append(all, Entry{name, m})
		}
	}
	both, err := posthoc.NewCombined([]string{"iodin", "mds"}, posthoc.Fisher)
	if err != nil {
		t.Fatal(err)
	}
	both.Place([][]float64{{1, 2}, {3}})
	for _, m := range append(all, Entry{"iodin+mds", both}) {
		if err := posthoc.Fit(m.Method, d); err != nil {
			t.Fatal(err)
		}
		part, err := posthoc.NewScorer([]posthoc.Method{m.Method}, opt.Device)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		part.Close()
		model, meta, err := n.with(m, posthoc.Float16)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		opt.Score, opt.Details = nil, true
		shipped, err := ioodin.New(model, meta, opt)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		shipped.Close()
	}
}

// unplaceable is a score that CUDA has no kernel for.
type unplaceable struct{ posthoc.MSP }

func (*unplaceable) Emit(p *posthoc.Part) string {
	return p.Op("Cast", []string{p.Op("Celu", []string{p.Op("ReduceMax", []string{artifact.Logits}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))})},
		onnx.Int("to", int(onnx.TensorProto_DOUBLE)))
}

// TestUnplacedScore: a method's part that the device cannot run is refused, by its node;
// where the device is to be chosen it is the CPU, which scores.
func TestUnplacedScore(t *testing.T) {
	if !cudastub.Here() {
		cudastub.Rerun(t, os.Getenv(ort.LibraryEnv))
		return
	}
	m, d := testmodel.Random(t, models.Spec{Arch: "lenet", Classes: 10, Head: models.HeadLinear}, testmodel.Square(28), artifact.ScoreIODIN)
	n, err := NewNetwork(m, d, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	m, d, err = n.with(Entry{"unplaceable", &unplaceable{}}, posthoc.Float32)
	if err != nil {
		t.Fatal(err)
	}
	d.Score = artifact.Score{Name: "unplaceable", Settings: "{}"}
	ort.OnlyPlace()
	const want = `the score unplaceable: cuda:0 has no kernel for Celu, node "score/Celu" of the graph: run it on the CPU`
	cuda := ascood.CUDA(0)
	if _, err := ioodin.New(m, d, ioodin.Options{Device: cuda}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	auto, err := ascood.ParseDevice("auto")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	chosen, err := ioodin.New(m, d, ioodin.Options{Device: auto, Threads: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer chosen.Close()
	if chosen.Device().IsCUDA() || !strings.Contains(log.String(), "device=cpu") || !strings.Contains(log.String(), "the score unplaceable: cuda:0 has no kernel for Celu") {
		t.Errorf("auto chooses %v, and says\n%s", chosen.Device(), &log)
	}
	crops := [][]uint8{make([]uint8, 28*28*3)}
	if got, err := chosen.Score(t.Context(), crops); err != nil || len(got) != 1 {
		t.Errorf("of an image it gives %v, %v", got, err)
	}
}

// randomData is what methods learn from, of images that there are not.
func randomData(t testing.TB, n *Network) *posthoc.Data {
	t.Helper()
	train := randomImages(t, n, 70)
	d, err := n.Data(t.Context(), train, train)
	if err != nil {
		t.Fatal(err)
	}
	width, err := onnx.Extend(n.model.Graph).Shape(artifact.Stem)
	if err != nil {
		t.Fatal(err)
	}
	for name, numbers := range map[string]int{"gram": 50, "mds_ensemble": width[1].Size, "adascale-5-1": 1} {
		d.Observed[name] = randomRows(70, numbers, len(d.Bias))
	}
	return d
}

// randomImages are the features of images that there are not.
func randomImages(t testing.TB, n *Network, images int) *posthoc.Set {
	t.Helper()
	weight, bias, err := n.lastLayer()
	if err != nil {
		t.Fatal(err)
	}
	return randomRows(images, weight.Cols, len(bias))
}

// randomRows are images of so many features and classes.
func randomRows(images, dim, classes int) *posthoc.Set {
	matrix := func(cols int) posthoc.Matrix {
		m := posthoc.Matrix{Data: make([]float32, images*cols), Cols: cols}
		for i := range m.Data {
			m.Data[i] = rand.Float32()
		}
		return m
	}
	s := &posthoc.Set{Batch: posthoc.Batch{Feature: matrix(dim), Logits: matrix(classes)}}
	for i := range images {
		s.Labels = append(s.Labels, i%classes)
	}
	return s
}

// openParts opens what a method needs, alone and in the search of its settings.
func openParts(t *testing.T, n *Network, name string) {
	alone := newMethod(t, name)
	var sweep []Entry
	for _, m := range posthoc.Sweep(name) {
		sweep = append(sweep, Entry{name, m})
	}
	parts := append(plan([]Entry{alone}), plan(sweep)...)
	for _, value := range alone.Needs().Graph {
		if slices.Contains(append(artifact.OfHeads(), artifact.Maps()...), value) && !n.has(value) {
			return // a network without the method's layers or head
		}
	}
	for _, r := range parts {
		from := ""
		if r.gradient >= 0 {
			from = artifact.Gradient
		}
		if _, err := n.graph(from, r.values); err != nil {
			t.Errorf("%s: %v from %q: %v", name, r.values, from, err)
		}
	}
}

// TestPlacementFinds: a node that CUDA has no kernel for cannot be opened, and one that
// copies is announced.
func TestPlacementFinds(t *testing.T) {
	if !cudastub.Here() {
		if out := cudastub.Rerun(t, os.Getenv(ort.LibraryEnv)); strings.Count(out, "Memcpy nodes are added") != 2 {
			t.Errorf("not both graphs are said to copy:\n%s", out)
		}
		return
	}
	ort.OnlyPlace()
	open := func(compute func(b *onnx.Builder) string) error {
		b := onnx.NewBuilder("test")
		b.Input("x", "", onnx.TensorProto_FLOAT, "N", 4)
		b.Output(b.Rename(compute(b), "y"), "", onnx.TensorProto_FLOAT, "N", "M")
		m, err := b.Model("test", "1")
		if err != nil {
			t.Fatal(err)
		}
		s, err := ort.Open(m, ort.Options{Device: ascood.CUDA(0)})
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := open(func(b *onnx.Builder) string {
		last := b.Op("ArgMax", []string{"x"}, onnx.Int("axis", 1), onnx.Int("select_last_index", 1))
		return b.Op("Cast", []string{last}, onnx.Int("to", int(onnx.TensorProto_FLOAT)))
	}); err == nil || !strings.Contains(err.Error(), "fallback to CPU") {
		t.Errorf("an ArgMax that CUDA lacks: error %v", err)
	}
	if err := open(func(b *onnx.Builder) string {
		shape := b.Op("Cast", []string{b.Op("ReduceMax", []string{"x"}, onnx.Int("keepdims", 0))}, onnx.Int("to", int(onnx.TensorProto_INT64)))
		return b.Op("Reshape", []string{"x", b.Op("Reshape", []string{shape, b.Int64s(1)})})
	}); err != nil {
		t.Errorf("a shape that is computed on the GPU: %v", err)
	}
}
