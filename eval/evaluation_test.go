package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// TestStoreIsReused evaluates again, with this and that changed, and checks what
// is gone through once more.
func TestStoreIsReused(t *testing.T) {
	e := newEvaluation(t, "temp_scaling", "ash")
	e.Choices[1].Search = true
	all := []string{"val_id", "val_ood", "search", "id", "near", "far"}
	first := runEvaluation(t, e, all...)
	if got := posthoc.Describe(first[0].Settings); !strings.HasPrefix(got, "temperature 1.") {
		t.Errorf("the settings are %s", got)
	}

	again := runEvaluation(t, fresh(t, e))
	if fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("stored results differ:\n%v\n%v", again, first)
	}

	e = fresh(t, e)
	e.Far[0].Digest = "another"
	runEvaluation(t, e, "far")

	e = fresh(t, e)
	if err := os.WriteFile(filepath.Join(e.Store.Dir, "scores", "ash", "near.csv"), []byte("edited"), 0o644); err != nil {
		t.Fatal(err)
	}
	runEvaluation(t, e, "near")

	e = fresh(t, e)
	e.Network.digest = "another"
	runEvaluation(t, e, all...)
}

// TestInterruptedEvaluationGoesOn ends one in its second set, and checks that it
// neither learns nor searches anew.
func TestInterruptedEvaluationGoesOn(t *testing.T) {
	e := newEvaluation(t, "mls", "mds", "react", "iodin")
	e.Train = e.ID
	e.Choices[2].Search, e.Choices[3].Search = true, true
	interrupt(t, e, "near")
	runEvaluation(t, fresh(t, e), "near", "far")
}

// TestInterruptedSearchGoesOn ends one in its second set.
func TestInterruptedSearchGoesOn(t *testing.T) {
	e := newEvaluation(t, "ash", "iodin", "odin")
	for i := range e.Choices {
		e.Choices[i].Search = true
	}
	interrupt(t, e, "search on val_ood")
	again := fresh(t, e)
	first := runEvaluation(t, again, "search on val_ood", "id", "near", "far")
	again = fresh(t, e)
	again.Store = nil
	if whole := runEvaluation(t, again, "val_id", "val_ood", "search", "search on val_id", "search on val_ood", "id", "near", "far"); fmt.Sprint(whole) != fmt.Sprint(first) {
		t.Errorf("results\n%v\nafter an interruption, without one\n%v", first, whole)
	}
	if left, err := filepath.Glob(filepath.Join(e.Store.Dir, "scores", "*", "*.trials")); err != nil || left != nil {
		t.Errorf("left behind %v (%v)", left, err)
	}
}

// TestCombinedIsSearched evaluates methods, and a combination of them: its parts have the
// settings that the methods have, its scores are placed among the validation images', and
// all is there again after an interruption and in the store.
func TestCombinedIsSearched(t *testing.T) {
	e := newEvaluation(t, "knn+iodin+mls", "iodin", "knn")
	e.Train = e.ID
	for i := range e.Choices {
		e.Choices[i].Search = true
	}
	e.Choices[0].Fixed = []string{"knn"}
	e.Choices[0].Entry.Method.(*posthoc.Combined).Parts[0] = &posthoc.KNN{K: 3}
	e.Choices[2] = Choice{Entry: Entry{"knn", &posthoc.KNN{K: 3}}}
	whole := *e
	whole.Store = nil
	results := runEvaluation(t, &whole, "train", "val_id", "search on val_id", "search on val_ood", "combine on val_id", "combine on val_id", "id", "near", "far")
	both, step := results[0], results[1]
	if want := `{"iodin":` + step.Settings + `,"knn":{"k":3},"mls":{},"rule":"fisher"}`; both.Settings != want {
		t.Errorf("the settings are %s, want %s", both.Settings, want)
	}
	if both.Tried() != 28 || string(both.Trials[5].Settings) != `{"iodin":`+string(step.Trials[5].Settings)+"}" || both.Trials[5].AUROC != step.Trials[5].AUROC {
		t.Errorf("it has tried %d settings, such as %+v; iodin %+v", both.Tried(), both.Trials[5], step.Trials[5])
	}
	for i, score := range both.Scores[1].Values {
		if !(score <= 0 && score >= 3*math.Log(1./13)) { // 12 validation images
			t.Errorf("image %d scores %v", i, score)
		}
	}

	fixed := func(e *Evaluation) *Evaluation {
		again := fresh(t, e)
		again.Choices[0] = Choice{Entry: newMethod(t, "knn+iodin+mls"), Search: true, Fixed: []string{"knn"}}
		again.Choices[0].Entry.Method.(*posthoc.Combined).Parts[0] = &posthoc.KNN{K: 3}
		again.Choices[2] = Choice{Entry: Entry{"knn", &posthoc.KNN{K: 3}}}
		return again
	}
	interrupt(t, e, "search on val_ood")
	stored := runEvaluation(t, fixed(e), "search on val_ood", "combine on val_id", "combine on val_id", "id", "near", "far")
	again := runEvaluation(t, fixed(e))
	if fmt.Sprint(stored) != fmt.Sprint(results) || fmt.Sprint(again) != fmt.Sprint(results) {
		t.Errorf("results\n%v\nafter an interruption\n%v\nand from the store\n%v", results, stored, again)
	}
	if left, err := filepath.Glob(filepath.Join(e.Store.Dir, "scores", "*", "*.trials")); err != nil || left != nil {
		t.Errorf("left behind %v (%v)", left, err)
	}
}

// TestCombinedSearchesApart: two parts that move the image would each choose by how much.
func TestCombinedSearchesApart(t *testing.T) {
	e := newEvaluation(t, "odin+mls+iodin")
	e.Choices[0].Search = true
	if err := e.Check(); err == nil || !strings.Contains(err.Error(), "one temperature and noise for odin and iodin, which would be searched apart: choose with set") {
		t.Errorf("error %v", err)
	}
	e.Choices[0].Fixed = []string{"odin", "iodin"}
	if err := e.Check(); err != nil {
		t.Error(err)
	}
}

// TestStaleScoresGo fails an evaluation with other settings, and checks that what is
// left is of these.
func TestStaleScoresGo(t *testing.T) {
	e := newEvaluation(t, "ebo")
	runEvaluation(t, e, "id", "near", "far")
	notes := filepath.Join(e.Store.Dir, "scores", "ebo", "notes.json") // somebody's own
	if err := os.WriteFile(notes, []byte(`{"good": true}`), 0o644); err != nil {
		t.Fatal(err)
	}
	e = fresh(t, e)
	e.Choices[0].Entry.Method = &posthoc.EBO{Temperature: 2}
	interrupt(t, e, "near")
	left, err := filepath.Glob(filepath.Join(e.Store.Dir, "scores", "ebo", "*.csv"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "id.csv" {
		t.Errorf("left are %v (%v), want the new id.csv", left, err)
	}
	if _, err := os.Stat(notes); err != nil {
		t.Error(err)
	}
}

// TestDamagedNetwork runs one whose last layer is not finite.
func TestDamagedNetwork(t *testing.T) {
	e := newEvaluation(t, "msp")
	for _, p := range e.Network.model.Graph.Initializer {
		if strings.HasSuffix(p.Name, "fc.bias") {
			p.RawData = slices.Repeat([]byte{0, 0, 0xc0, 0x7f}, len(p.RawData)/4) // NaN
		}
	}
	damaged, err := NewNetwork(e.Network.model, e.Network.meta, e.Network.opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { damaged.Close() })
	e.Network = damaged
	if _, err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "id: test_id-images-idx3-ubyte[0]: the network's logits or features are not finite") {
		t.Errorf("error %v", err)
	}
}

// TestDigestSeesPreprocessing changes what the graph does not say.
func TestDigestSeesPreprocessing(t *testing.T) {
	n := openNetwork(t)
	other := *n.meta
	other.Preprocess.PreSize = 40
	m, err := NewNetwork(n.model, &other, n.opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	if m.digest == n.digest {
		t.Error("a network that sees other crops has the same digest")
	}
}

func newEvaluation(t *testing.T, methods ...string) *Evaluation {
	t.Helper()
	set := func(name, images string) Set {
		all := openImages(t, images)
		return Set{Name: name, Images: dataset.Subset(all, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), Digest: images}
	}
	e := &Evaluation{
		Network: openNetwork(t), ID: set("id", "test_id"), Near: []Set{set("near", "test_ood")}, Far: []Set{set("far", "val_ood")},
		ValidID: set("", "val_id"), ValidOOD: set("", "val_ood"), Store: &Store{t.TempDir()},
	}
	for _, name := range methods {
		e.Choices = append(e.Choices, Choice{Entry: newMethod(t, name)})
	}
	return e
}

// fresh is an evaluation as another process would start it.
func fresh(t *testing.T, e *Evaluation) *Evaluation {
	t.Helper()
	again := *e
	again.Network = &Network{model: e.Network.model, meta: e.Network.meta, digest: e.Network.digest, opt: e.Network.opt, graphs: e.Network.graphs}
	again.Choices = nil
	for _, c := range e.Choices {
		again.Choices = append(again.Choices, Choice{Entry: newMethod(t, c.Name), Search: c.Search})
	}
	again.Near, again.Far = slices.Clone(e.Near), slices.Clone(e.Far)
	return &again
}

// interrupt runs an evaluation that is ended as it begins a pass over images.
func interrupt(t *testing.T, e *Evaluation, pass string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	e.Progress = func(what string, _ int) (func(int), func()) {
		if what == pass {
			cancel()
		}
		return nil, func() {}
	}
	if _, err := e.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

// runEvaluation checks which passes over images are made.
func runEvaluation(t *testing.T, e *Evaluation, want ...string) []Result {
	t.Helper()
	var passes []string
	e.Progress = func(what string, _ int) (func(int), func()) {
		passes = append(passes, what)
		return nil, func() {}
	}
	results, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(passes, want) {
		t.Errorf("passes over %q, want %q", passes, want)
	}
	return results
}

// undecided is a method that has no score for its fourth image.
type undecided struct{ posthoc.MSP }

func (*undecided) Emit(p *posthoc.Part) string {
	largest := p.Op("ReduceMax", []string{p.Logits()}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
	ones := p.Op("Equal", []string{largest, largest})
	number := p.Op("CumSum", []string{p.Op("Cast", []string{ones}, onnx.Int("to", int(onnx.TensorProto_DOUBLE))), p.Int64s(0)})
	isFourth := p.Op("Equal", []string{number, p.Doubles("fourth", []float64{4})})
	return p.Op("Where", []string{isFourth, p.Doubles("none", []float64{math.NaN()}), largest})
}

// TestFailedMethodHoldsUpNoOther keeps the scores of a set that one of the methods
// has failed on.
func TestFailedMethodHoldsUpNoOther(t *testing.T) {
	e := newEvaluation(t, "mls")
	e.Choices = append(e.Choices, Choice{Entry: Entry{"undecided", &undecided{}}})
	if _, err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "id: undecided: it gives test_id-images-idx3-ubyte[3] a score that is not a number") {
		t.Fatalf("error %v", err)
	}
	e.Choices = e.Choices[:1]
	runEvaluation(t, fresh(t, e), "near", "far")
}

// TestCancelledComparison ends a method that is busy with the training images.
func TestCancelledComparison(t *testing.T) {
	n := openNetwork(t)
	s := collectFrom(t, n, openImages(t, "val_id"))
	ctx, cancel := context.WithCancel(t.Context())
	d, err := n.Data(ctx, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := Entry{"knn", &posthoc.KNN{K: 3}}
	if err := posthoc.Fit(m.Method, d); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := ScoreSet(s, openImages(t, "val_id"), []Entry{m}, ScanOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestNothingToSearch(t *testing.T) {
	e := newEvaluation(t, "msp")
	e.Choices[0].Search = true
	if err := e.Check(); err == nil || !strings.Contains(err.Error(), "msp has no published settings to search") {
		t.Errorf("error %v", err)
	}
}

func TestNetworkWithoutTheValue(t *testing.T) {
	e := newEvaluation(t, "rankfeat")
	for _, node := range e.Network.model.Graph.Node {
		for i, out := range node.Output {
			if out == "layer3" {
				node.Output[i] = "another"
			}
		}
	}
	if err := e.Check(); err == nil || !strings.Contains(err.Error(), "rankfeat works on layer3 of the network, and this model of a resnet18_32x32 has none") {
		t.Errorf("error %v", err)
	}
}
