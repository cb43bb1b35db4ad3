package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
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

func TestComputeWrongInput(t *testing.T) {
	for name, sets := range map[string][2][]float64{
		"no ID": {nil, {1}}, "no OOD": {{1}, nil}, "NaN": {{1, math.NaN()}, {0}},
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
