package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestReferenceMetrics(t *testing.T) {
	text, err := os.ReadFile("testdata/metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Conf                          []float64
		Label, Pred                   []int
		FPR95                         float64 `json:"FPR@95"`
		AUROC, AUPR_IN, AUPR_OUT, ACC float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("testdata/metrics.json has no cases")
	}
	for i, c := range cases {
		var id, ood []float64
		correct := 0
		for k, label := range c.Label {
			if label == -1 {
				ood = append(ood, c.Conf[k])
				continue
			}
			id = append(id, c.Conf[k])
			if c.Pred[k] == label {
				correct++
			}
		}
		got, err := Compute(id, ood, correct)
		if err != nil {
			t.Fatal(err)
		}
		want := Metrics{c.FPR95, c.AUROC, c.AUPR_IN, c.AUPR_OUT, c.ACC}
		for name, pair := range map[string][2]float64{
			"FPR@95": {got.FPR95, want.FPR95}, "AUROC": {got.AUROC, want.AUROC}, "ACC": {got.ACC, want.ACC},
			"AUPR_IN": {got.AUPRIn, want.AUPRIn}, "AUPR_OUT": {got.AUPROut, want.AUPROut},
		} {
			if !(math.Abs(pair[0]-pair[1]) <= 1e-9) {
				t.Errorf("case %d: %s is %v, want %v", i, name, pair[0], pair[1])
			}
		}
	}
}

// TestFPR95 gives the ID and OOD images at each distinct score, lowest first. Where 95%
// of the OOD images are detected by a threshold that adds as many of each as the
// next does, that one decides.
func TestFPR95(t *testing.T) {
	evenly := slices.Repeat([][2]int{{1, 1}}, 20)
	for _, c := range []struct {
		name  string
		steps [][2]int
		want  float64
	}{
		{"the last but one is passed over", evenly, 1},
		{"more ID images follow", append(slices.Clone(evenly[:19]), [2]int{2, 1}), 19. / 21},
		{"fewer OOD images follow", [][2]int{{1, 17}, {1, 2}, {1, 1}}, 2. / 3},
		{"the second is passed over", [][2]int{{1, 18}, {1, 1}, {1, 1}}, 1},
		{"two are passed over", [][2]int{{1, 17}, {1, 1}, {1, 1}, {1, 1}, {1, 0}}, 4. / 5},
		{"the first is not", [][2]int{{1, 19}, {1, 1}}, 1. / 2},
		{"the last is not", [][2]int{{2, 1}, {1, 1}}, 1},
		{"just not enough", [][2]int{{1, 37}, {0, 3}, {1, 0}}, 1. / 2},
	} {
		var id, ood []float64
		for score, n := range c.steps {
			id = append(id, slices.Repeat([]float64{float64(score)}, n[0])...)
			ood = append(ood, slices.Repeat([]float64{float64(score)}, n[1])...)
		}
		m, err := Compute(id, ood, 0)
		if err != nil || m.FPR95 != c.want {
			t.Errorf("%s: FPR@95 is %v (%v), want %v", c.name, m.FPR95, err, c.want)
		}
	}
}

// TestOutrankedID has an OOD image above all ID images.
func TestOutrankedID(t *testing.T) {
	id, ood := []float64{2, 1}, []float64{3}
	got, err := Compute(id, ood, 1)
	if err != nil {
		t.Fatal(err)
	}
	// The precision of OOD is 0, 0, 1/3 at its recalls 0, 0, 1; that of ID, from the highest score
	// on, is 0, 1/2, 2/3 at 0, 1/2, 1.
	want := Metrics{FPR95: 1, AUROC: 0, AUPRIn: (0+1./2)/4 + (1./2+2./3)/4, AUPROut: 1. / 6, ACC: 0.5}
	for k, v := range want.values() {
		if math.Abs(got.values()[k]-v) > 1e-12 {
			t.Errorf("%s is %v, want %v", columns[k], got.values()[k], v)
		}
	}
	if !slices.Equal(id, []float64{2, 1}) || !slices.Equal(ood, []float64{3}) {
		t.Errorf("the scores became %v and %v", id, ood)
	}
}

func TestComputeWrongInput(t *testing.T) {
	for name, sets := range map[string][2][]float64{
		"no ID": {nil, {1}}, "no OOD": {{1}, nil}, "NaN in ID": {{1, math.NaN()}, {0}}, "NaN in OOD": {{0}, {1, math.NaN()}},
	} {
		if _, err := Compute(sets[0], sets[1], 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// BenchmarkCompute measures ten million scores.
func BenchmarkCompute(b *testing.B) {
	id, ood := make([]float64, 5_000_000), make([]float64, 5_000_000)
	for i := range id {
		id[i], ood[i] = rand.NormFloat64()+1, rand.NormFloat64()
	}
	for b.Loop() {
		if _, err := Compute(id, ood, len(id)); err != nil {
			b.Fatal(err)
		}
	}
}
