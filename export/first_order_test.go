package export_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/onnx"
)

// TestFirstOrder: iodin_fast tells images apart as iodin does, on a trained network and on
// three of other programs: by AUROC, by the order of the images, and by verdicts at the
// threshold that keeps 95% of the ID images.
func TestFirstOrder(t *testing.T) {
	for _, name := range []string{"trained", "mobilenet_v2.17", "resnet18.17", "convnext.11"} {
		t.Run(name, func(t *testing.T) {
			var model *onnx.ModelProto
			var meta *artifact.Metadata
			if name == "trained" {
				model, meta = trained(t)
			} else {
				_, model, meta = imported(t, name, 32)
			}
			exact, fast := scoresOfSets(t, model, meta, artifact.ScoreIODIN), scoresOfSets(t, model, meta, artifact.ScoreIODINFast)
			a, b := measured(t, exact), measured(t, fast)
			if d := 100 * math.Abs(a.AUROC-b.AUROC); d > 0.01 {
				t.Errorf("AUROC %.3f, exactly %.3f", 100*b.AUROC, 100*a.AUROC)
			}
			if r := rankCorrelation(slices.Concat(exact...), slices.Concat(fast...)); r < 0.9999 {
				t.Errorf("the rank correlation is %.6f", r)
			}
			for _, image := range otherVerdicts(exact, fast) {
				t.Log(image)
			}
			worst := 0.0
			for set := range exact {
				for i, v := range exact[set] {
					worst = max(worst, math.Abs(fast[set][i]-math.Log(v)))
				}
			}
			t.Logf("AUROC %.3f, off by %.2g at most", 100*a.AUROC, worst)
		})
	}
}

// trained is a network that was trained on the ID images.
func trained(t *testing.T) (*onnx.ModelProto, *artifact.Metadata) {
	t.Helper()
	c, err := checkpoint.Load(testmodel.Path("eval", "testdata", "net.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	pre := testmodel.Square(32)
	model, meta, err := export.FromCheckpoint(c, export.Options{
		Name: "net", Arch: "resnet18_32x32", Preprocess: &pre, Score: artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000, Noise: 0.0014},
	})
	if err != nil {
		t.Fatal(err)
	}
	return model, meta
}

// scoresOfSets are the scores of ID images and of OOD images, at the published settings.
func scoresOfSets(t *testing.T, model *onnx.ModelProto, meta *artifact.Metadata, name artifact.ScoreName) [][]float64 {
	t.Helper()
	score, err := artifact.DefaultScore(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ioodin.New(model, meta, ioodin.Options{Threads: 1, Score: &score})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var sets [][]float64
	for _, set := range []string{"test_id", "test_ood"} {
		d, err := dataset.Open(testmodel.Path("eval", "testdata", "images", set+"-images-idx3-ubyte.gz"), "")
		if err != nil {
			t.Fatal(err)
		}
		var scores []float64
		for image, err := range m.Scan(t.Context(), d, ioodin.ScanOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			scores = append(scores, image.Score)
		}
		sets = append(sets, scores)
	}
	return sets
}

func measured(t *testing.T, sets [][]float64) metrics.Metrics {
	t.Helper()
	m, err := metrics.Compute(sets[0], sets[1], 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// otherVerdicts lists the images that two scores disagree on.
func otherVerdicts(exact, fast [][]float64) []string {
	threshold := func(scores []float64) float64 { return slices.Sorted(slices.Values(scores))[len(scores)/20] }
	a, b := threshold(exact[0]), threshold(fast[0])
	var list []string
	for set := range exact {
		for i := range exact[set] {
			if (exact[set][i] < a) != (fast[set][i] < b) {
				list = append(list, fmt.Sprintf("set %d, image %d: %v at a threshold of %v, exactly %v of %v", set, i, fast[set][i], b, exact[set][i], a))
			}
		}
	}
	return list
}

// rankCorrelation is Spearman's; equal values share the mean of their ranks.
func rankCorrelation(a, b []float64) float64 {
	x, y := ranks(a), ranks(b)
	mean := float64(len(a)-1) / 2
	xy, xx, yy := 0.0, 0.0, 0.0
	for i := range x {
		dx, dy := x[i]-mean, y[i]-mean
		xy, xx, yy = xy+dx*dy, xx+dx*dx, yy+dy*dy
	}
	return xy / math.Sqrt(xx*yy)
}

func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	result := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			result[i] = float64(from+to-1) / 2
		}
		from = to
	}
	return result
}
