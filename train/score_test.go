package train

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/runs"
)

// compareScore compares the score of the reference's test images by the exported network
// with the published one.
func (p published) compareScore(t *testing.T, l *learner) {
	t.Helper()
	name, m := publishedScore(t, l.method)
	state, err := l.net.stateDict()
	if err != nil {
		t.Fatal(err)
	}
	pre := preprocess.Config{PreSize: referenceSize, ImageSize: referenceSize, Std: [3]float64{.2470, .2435, .2616}} // CIFAR-10's
	model, meta, err := export.FromCheckpoint(&checkpoint.Checkpoint{Model: state, Meta: checkpoint.Meta{
		Arch: l.net.Spec.Arch, Head: string(l.net.Spec.Head), Classes: strings.Split("0123456789", ""), Preprocess: &pre,
	}}, export.Options{Score: artifact.Score{Name: artifact.ScoreMSP, Temperature: 1}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := eval.NewNetwork(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	e := &eval.Evaluation{Network: n}
	if model, meta, err = e.Ship(t.Context(), eval.Choice{Entry: eval.Entry{Name: name, Method: m}}, posthoc.Float32); err != nil {
		t.Fatal(err)
	}
	g, err := ioodin.OpenGraph(model, meta, artifact.Image, []string{artifact.OwnScore}, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	images, err := p.common["test.data"].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.Run(t.Context(), ioodin.Inputs{Value: ioodin.Tensor{Shape: p.common["test.data"].Shape, Data: images}})
	if err != nil {
		t.Fatal(err)
	}
	p.closeScores(t, out[artifact.OwnScore].Doubles)
}

// publishedScore is the one that a method says.
func publishedScore(t *testing.T, m Method) (string, posthoc.Method) {
	t.Helper()
	s := m.(scored).score()
	score, err := posthoc.New(string(s.Name))
	if err == nil && s.Settings != "" {
		err = posthoc.Configure(score, s.Settings)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(s.Name), score
}

// compareNeighbours compares the distances of the reference's test images to the nearest of
// its pool with the published ones.
func (p published) compareNeighbours(t *testing.T, l *learner) {
	t.Helper()
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	look := func(images string) *posthoc.Set {
		out := l.net.pass(uploadGiven(t, s, p.common, images, gotorch.Float64), inference)
		matrix := func(v gotorch.Tensor) posthoc.Matrix {
			return posthoc.Matrix{Data: gotorch.ToSlice[float32](v.To(gotorch.Float32).Contiguous()), Cols: v.Shape()[1]}
		}
		set := &posthoc.Set{Batch: posthoc.Batch{Logits: matrix(out.Logits), Feature: matrix(out.Feature)}}
		set.Labels = make([]int, set.Len())
		return set
	}
	if name, _ := publishedScore(t, l.method); name != "knn" {
		t.Fatalf("the score is %s", name)
	}
	m, bank := &posthoc.KNN{K: int(p.hyper(t, "K_knn"))}, look("pool.data")
	if err := posthoc.Fit(m, &posthoc.Data{Weight: posthoc.Matrix{Cols: bank.Feature.Cols}, Bias: make([]float32, 10), Train: bank}); err != nil {
		t.Fatal(err)
	}
	scorer, err := posthoc.NewScorer([]posthoc.Method{m}, ascood.Device{})
	if err != nil {
		t.Fatal(err)
	}
	defer scorer.Close()
	scores, errs := scorer.Score(&look("test.data").Batch)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	p.closeScores(t, scores[0])
}

// closeScores compares scores, relative to the spread of the published ones.
func (p published) closeScores(t *testing.T, got []float64) {
	t.Helper()
	want := p.wanted(t, "test.score")
	spread, worst := slices.Max(want)-slices.Min(want), 0.0
	for i, w := range want {
		worst = max(worst, math.Abs(got[i]-w)/spread)
	}
	t.Logf("scores are off by %.1e of their spread", worst)
	if len(got) != len(want) || !(worst <= 1e-3) {
		t.Errorf("the scores are %v, want %v", got, want)
	}
}

// evaluate exports the best weights of a run with the score that its checkpoint says, and
// compares images of other things with those of the validation.
func evaluate(t *testing.T, c Config, o Options) {
	t.Helper()
	best := read(t, o, runs.BestFile)
	said, err := artifact.PublishedScore(best.Meta.Training)
	if err != nil || said.Method != c.Method {
		t.Fatalf("the checkpoint says %+v, %v", said, err)
	}
	name, m := "iodin", posthoc.Method(nil)
	if said.Score.Name != "" {
		name, m = publishedScore(t, must(t, c))
	}
	if m == nil {
		if m, err = posthoc.New(name); err != nil {
			t.Fatal(err)
		}
	}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		t.Fatal(err)
	}
	model, meta, err := export.FromCheckpoint(best, export.Options{Name: c.Method, Score: score})
	if err != nil {
		t.Fatal(err)
	}
	n, err := eval.NewNetwork(model, meta, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	open := func(path string) dataset.Dataset {
		d, err := dataset.Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	e := &eval.Evaluation{
		Network: n, Choices: []eval.Choice{{Entry: eval.Entry{Name: name, Method: m}}},
		ID: eval.Set{Name: "id", Images: open(c.Val)}, Train: eval.Set{Images: open(c.Train)},
		Far: []eval.Set{{Name: "far", Images: open("../eval/testdata/images/test_ood-images-idx3-ubyte.gz[0:40]")}},
	}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	results, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if row := results[0].Table[0]; !(row.AUROC >= 0 && row.AUROC < 1.001) {
		t.Errorf("%s: %+v", name, row)
	}
	shipped, _, err := e.Ship(t.Context(), e.Choices[0], posthoc.Float32)
	if err == nil && shipped == nil {
		t.Error("nothing is shipped")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: AUROC %.3f", name, results[0].Table[0].AUROC)
}
