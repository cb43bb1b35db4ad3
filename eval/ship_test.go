package eval

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/posthoc"
)

// TestShippedScores ships every method, with both heads, and those that are for a further
// head with that: the scores of the artifact are those of the evaluation, whether it is run
// as a model or evaluated by its own score.
func TestShippedScores(t *testing.T) {
	networks := map[models.Head]*Network{}
	for _, file := range []string{"testdata/net.safetensors", "../testdata/nets/ascood-resnet18_32x32.safetensors"} {
		c, err := checkpoint.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		n := export32(t, c)
		networks[models.Head(n.Info().Head)] = n
	}
	for _, head := range models.Heads() {
		if networks[head] == nil {
			networks[head] = export32(t, testmodel.WithHead(t, head))
		}
	}
	for head, n := range networks {
		train, images := firstOf(t, "train", 60), firstOf(t, "test_ood", 20)
		learnt := collectFrom(t, n, train)
		data, err := n.Data(t.Context(), learnt, learnt)
		if err != nil {
			t.Fatal(err)
		}
		observe(t, n, data, train, train)
		e := &Evaluation{Network: n, Train: Set{Images: train}, ValidID: Set{Images: train}}
		for _, name := range append(posthoc.Names(), "mds+iodin+knn") {
			m := Entry{name, testmodel.Method(t, name)}
			if of := testmodel.HeadOf(m.Method); of != head && (of != "" || !plain(head)) {
				continue
			}
			t.Run(string(head)+" "+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "shipped.onnx")
				ship(t, e, Entry{name, testmodel.Method(t, name)}, path)
				if err := e.ready(t.Context(), []Entry{m}, &material{Data: data, validID: learnt}); err != nil {
					t.Fatal(err)
				}
				want, err := n.Score(t.Context(), images, []Entry{m}, ScanOptions{})
				if err != nil {
					t.Fatal(err)
				}
				few := map[string]int{"godin": 1}[name] // which takes signs of the gradient
				compareMost(t, "as a model", scoresOf(t, path, images), want[0].Values, few)
				compareMost(t, "evaluated", ownScores(t, path, images), want[0].Values, few)
			})
		}
	}
}

// plain heads are those that methods are tried with which are for any.
func plain(h models.Head) bool { return h == models.HeadLinear || h == models.HeadASCOOD }

func firstOf(t *testing.T, set string, n int) dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(testmodel.Path("eval", "testdata", "images", set+"-images-idx3-ubyte.gz"), "")
	if err != nil {
		t.Fatal(err)
	}
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	return dataset.Subset(d, indices)
}

func ship(t *testing.T, e *Evaluation, m Entry, path string) {
	t.Helper()
	model, meta, err := e.Ship(t.Context(), Choice{Entry: m}, posthoc.Float32)
	if err == nil {
		err = artifact.Save(path, model, meta)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// scoresOf are the scores that ascood-score and ascood-serve have.
func scoresOf(t *testing.T, path string, d dataset.Dataset) []float64 {
	t.Helper()
	m, err := ioodin.Open(path, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var scores []float64
	for image, err := range m.Scan(t.Context(), d, ioodin.ScanOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, image.Score)
	}
	return scores
}

// ownScores are those that an evaluation of the artifact's own score has.
func ownScores(t *testing.T, path string, d dataset.Dataset) []float64 {
	t.Helper()
	n, err := OpenNetwork(path, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	name, m, err := posthoc.Of(n.Info().Score)
	if err != nil {
		t.Fatal(err)
	}
	scores, err := n.Score(t.Context(), d, []Entry{{name, m}}, ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return scores[0].Values
}

// compareScores wants equal scores but for float32's rounding, of logits, features and
// cosines.
func compareScores(t *testing.T, how string, got, want []float64) {
	t.Helper()
	compareMost(t, how, got, want, 0)
}

// compareMost does so but for a few images, which may be off by more: where a ReLU's input is as good as 0, rounding
// decides a path of the gradient, and a processor's kernels of which images.
func compareMost(t *testing.T, how string, got, want []float64, few int) {
	t.Helper()
	const rounded, switched = 1e-5, 1e-3 // of the spread
	spread := slices.Max(want) - slices.Min(want)
	var off []float64
	for i, w := range want {
		off = append(off, math.Abs(got[i]-w))
	}
	slices.Sort(off)
	most, all := off[len(off)-1-few], off[len(off)-1]
	t.Logf("%s: differs by %.1e of the spread, for %d images by %.1e", how, most/spread, few, all/spread)
	if !(most <= rounded*spread && all <= switched*spread) {
		t.Errorf("%s: the scores differ by %g, for %d images by %g, and spread over %g", how, most, few, all, spread)
	}
}

// TestCombined ships scores of several methods: of in-distribution images that nothing has
// seen the p-values are uniform, of others they are small.
func TestCombined(t *testing.T) {
	n := openNetwork(t)
	e := &Evaluation{Network: n, Train: Set{Images: openImages(t, "train")}, ValidID: Set{Images: openImages(t, "val_id")}}
	for _, rule := range posthoc.Rules() {
		c, err := posthoc.NewCombined([]string{"iodin", "mds", "knn"}, rule)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "combined.onnx")
		ship(t, e, Entry{"iodin+mds+knn", c}, path)
		id := openImages(t, "test_id")
		compareScores(t, string(rule), ownScores(t, path, id), scoresOf(t, path, id))

		scores := scoresOf(t, path, id)
		calibration, err := artifact.Calibrate(scores[:100], 0.95, n.Info().Score, "")
		if err != nil {
			t.Fatal(err)
		}
		var values []float64
		for _, v := range scores[100:] {
			values = append(values, calibration.PValue(v))
		}
		slices.Sort(values)
		worst := 0.0 // distance of Kolmogorov and Smirnov
		for i, v := range values {
			worst = max(worst, math.Abs(v-float64(i+1)/100), math.Abs(v-float64(i)/100))
		}
		// Of two samples of 100 it is more than this in 1 of 100 cases.
		if !(worst <= 0.23) {
			t.Errorf("%s: the p-values are %v from uniform", rule, worst)
		}
		small := 0
		for _, v := range scoresOf(t, path, openImages(t, "test_ood")) {
			if calibration.PValue(v) <= 0.05 {
				small++
			}
		}
		t.Logf("%s: %v from uniform, %d of 200 others have a p-value of at most 0.05", rule, worst, small)
		if small < 100 {
			t.Errorf("%s: %d of 200 others have a p-value of at most 0.05", rule, small)
		}
	}
}
