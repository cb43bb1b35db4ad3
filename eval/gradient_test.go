package eval

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// smooth is a network without kinks, with all that methods look into.
func smooth(t *testing.T) *Network {
	t.Helper()
	const size, classes = 8, 10
	rng := rand.New(rand.NewPCG(5, 6))
	b := onnx.NewBuilder("smooth")
	b.Scope(onnx.Prefix)
	weights := func(name string, scale float64, shape ...int) string {
		n := 1
		for _, s := range shape {
			n *= s
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(scale * rng.NormFloat64())
		}
		return b.Weights(name, v, shape...)
	}
	x, channels := b.Input("image", "", onnx.TensorProto_FLOAT, onnx.Batch, 3, size, size), 3
	for i, name := range artifact.Maps() {
		width := 8 + 4*i
		w := weights(name+".weight", 3/math.Sqrt(float64(9*channels)), width, channels, 3, 3)
		x = b.Op("Conv", []string{x, w}, onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("strides", 1, 1))
		x = b.Rename(b.Op("Softplus", []string{x}), onnx.Tap(name))
		channels = width
	}
	feature := b.Rename(b.Op("Flatten", []string{b.Op("GlobalAveragePool", []string{x})}), onnx.Tap(artifact.Feature))
	logits := b.Op("Gemm", []string{feature, weights("fc.weight", 0.1, classes, channels), weights("fc.bias", 1, classes)}, onnx.Int("transB", 1))
	widths := map[string]int{artifact.Confidence: 1, artifact.Rotation: 4, artifact.Cosines: classes, artifact.Projection: 6}
	for _, name := range artifact.OfHeads() {
		b.Rename(b.Op("MatMul", []string{feature, weights(name+".weight", 0.002, channels, widths[name])}), onnx.Tap(name))
	}
	b.Output(logits, "", onnx.TensorProto_FLOAT, onnx.Batch, classes)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		t.Fatal(err)
	}
	pre := testmodel.Square(size)
	model, meta, err := export.FromNetwork(export.Named(m), export.Options{Name: "smooth", Preprocess: &pre, Score: score, Classes: strings.Split("abcdefghij", "")})
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNetwork(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// TestScoreGradients compares the gradient in a shipped file with finite differences of the
// score, for all methods that have one. Those of which the file has none say so, or are
// explained by the gradient that it has.
func TestScoreGradients(t *testing.T) {
	table := documented(t)
	n := smooth(t)
	images := firstOf(t, "train", 60)
	e := &Evaluation{Network: n, Train: Set{Images: images}, ValidID: Set{Images: images}}
	for _, name := range append(posthoc.Names(), "msp+mls") {
		t.Run(name, func(t *testing.T) {
			method := testmodel.Method(t, name)
			switch m := method.(type) {
			case *posthoc.VIM:
				m.Dim = 10
			case *posthoc.Residual:
				m.Dim = 10
			case *posthoc.KNN:
				m.K = 60 // of 60: two neighbours at one distance are a kink
			case *posthoc.GODIN:
				m.Noise = 0 // its step is a sign's
			case *posthoc.T2FNorm:
				m.Tau = 5 // less, and all images are sure
			}
			path := filepath.Join(t.TempDir(), "shipped.onnx")
			ship(t, e, Entry{name, method}, path)
			m, d, err := artifact.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			output, of := d.Explains(d.Score, artifact.OutputsOf(m))
			want := table[name].gradient
			if want == "" { // a combination
				want = artifact.Gradient
			}
			ofScore := of == artifact.ExplainsScore
			if output != want || ofScore != (name != "msp+mls") {
				_, err := posthoc.Explain(m, d)
				t.Fatalf("explained by %s, of the %s, want %s: %v", output, of, want, err)
			}
			if output != artifact.ScoreGradient {
				return
			}
			g, err := ioodin.OpenGraph(m, d, artifact.Image, []string{artifact.OwnScore, artifact.ScoreGradient}, ioodin.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			compareSlopes(t, g)
		})
	}
}

// compareSlopes compares the gradients of images with the score's slopes along them, which
// are their lengths, and along random directions.
func compareSlopes(t *testing.T, g *ioodin.Graph) {
	t.Helper()
	const images, size = 6, 3 * 8 * 8
	rng := rand.New(rand.NewPCG(7, 8))
	at := make([]float32, images*size)
	for i := range at {
		at[i] = float32(rng.NormFloat64())
	}
	run := func(at []float32) map[string]ioodin.Tensor {
		out, err := g.Run(t.Context(), ioodin.Inputs{Value: ioodin.Tensor{Data: at, Shape: []int{images, 3, 8, 8}}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	gradients := run(at)[artifact.ScoreGradient].Data
	for _, along := range []string{"gradient", "random"} {
		direction, lengths := make([]float64, len(at)), make([]float64, images)
		for i := range direction {
			if direction[i] = rng.NormFloat64(); along == "gradient" {
				direction[i] = float64(gradients[i])
			}
			lengths[i/size] += direction[i] * direction[i]
		}
		moved := func(by float64) []float64 {
			x := slices.Clone(at)
			for i := range x {
				x[i] += float32(by * direction[i] / math.Sqrt(lengths[i/size]))
			}
			return run(x)[artifact.OwnScore].Doubles
		}
		const step = 0.01
		up, down, farUp, farDown := moved(step), moved(-step), moved(2*step), moved(-2*step)
		for k := range images {
			slope, length := 0.0, 0.0
			for i := k * size; i < (k+1)*size; i++ {
				slope += float64(gradients[i]) * direction[i] / math.Sqrt(lengths[k])
				length += float64(gradients[i]) * float64(gradients[i])
			}
			difference := (8*(up[k]-down[k]) - (farUp[k] - farDown[k])) / (12 * step) // of fourth order
			if off := math.Abs(difference-slope) / math.Sqrt(length); !(off <= 0.01) {
				t.Errorf("image %d along %s: the gradient gives %g, finite differences %g, of a length of %g", k, along, slope, difference, math.Sqrt(length))
			}
		}
	}
}

// row is what docs/evaluation.md says of a method.
type row struct{ learns, gradient string }

// documented reads the table of methods.
func documented(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile("../docs/evaluation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "|---|---|---|---|---|\n")
	if !ok {
		t.Fatal("docs/evaluation.md has no table of methods")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := map[string]row{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 5 {
			t.Fatalf("%q has %d cells", line, len(cells))
		}
		if strings.HasPrefix(cells[0], "several") {
			continue
		}
		for _, name := range strings.Split(cells[0], ", ") {
			rows[name] = row{cells[1], strings.Trim(cells[4], "`")}
		}
	}
	return rows
}

// TestDocumentedMethods: the table has each method, and says what it learns from.
// TestScoreGradients holds it to the gradients.
func TestDocumentedMethods(t *testing.T) {
	table := documented(t)
	if names := slices.Sorted(maps.Keys(table)); !slices.Equal(names, posthoc.Names()) {
		t.Errorf("the table has %v, want %v", names, posthoc.Names())
	}
	for name, r := range table {
		needs := newMethod(t, name).Needs()
		want := "nothing"
		switch {
		case needs.Train && needs.ValidID:
			want = "training and validation images"
		case needs.Train:
			want = "training images"
		case needs.ValidID:
			want = "validation images"
		}
		if r.learns != want {
			t.Errorf("%s is said to learn from %s, but does from %s", name, r.learns, want)
		}
	}
}
