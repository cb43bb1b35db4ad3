package train

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
)

// reference is three steps of the reference implementation (testdata/README.md).
type reference struct{ given, want checkpoint.StateDict }

func readReference(t *testing.T, name string) reference {
	t.Helper()
	read := func(part string) checkpoint.StateDict {
		c, err := checkpoint.Load(filepath.Join("testdata", name+"-"+part+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return c.Model
	}
	return reference{read("given"), read("want")}
}

// init returns the given weights.
func (r reference) init() checkpoint.StateDict {
	state := checkpoint.StateDict{}
	for name, tensor := range r.given {
		if bare, ok := strings.CutPrefix(name, "init."); ok {
			state[bare] = tensor
		}
	}
	return state
}

// tensor uploads a given float32 tensor.
func (r reference) tensor(t *testing.T, s *gotorch.Scope, name string) gotorch.Tensor {
	t.Helper()
	values, err := r.given[name].Float32s()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return gotorch.FromSlice(s, values, r.given[name].Shape...)
}

// integers uploads a given int64 tensor.
func (r reference) integers(t *testing.T, s *gotorch.Scope, name string) gotorch.Tensor {
	t.Helper()
	values, err := r.given[name].Int64s()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return gotorch.FromSlice(s, values, r.given[name].Shape...)
}

// wanted returns the expected values and how far they may be off the true ones.
// Larger tensors are kept as 16-bit shares of their largest magnitude.
func (r reference) wanted(t *testing.T, name string) (values []float64, rounding float64) {
	t.Helper()
	tensor, ok := r.want[name]
	if !ok {
		t.Fatalf("no %s among the expected tensors", name)
	}
	data := tensor.Data
	switch tensor.DType {
	case checkpoint.I16:
		scale := float64(math.Float32frombits(binary.LittleEndian.Uint32(r.want[name+".max"].Data))) / math.MaxInt16
		for i := 0; i < len(data); i += 2 {
			values = append(values, scale*float64(int16(binary.LittleEndian.Uint16(data[i:]))))
		}
		return values, scale / 2
	case checkpoint.F64:
		for i := 0; i < len(data); i += 8 {
			values = append(values, math.Float64frombits(binary.LittleEndian.Uint64(data[i:])))
		}
	case checkpoint.F32:
		for i := 0; i < len(data); i += 4 {
			values = append(values, float64(math.Float32frombits(binary.LittleEndian.Uint32(data[i:]))))
		}
	case checkpoint.I64:
		for i := 0; i < len(data); i += 8 {
			values = append(values, float64(binary.LittleEndian.Uint64(data[i:])))
		}
	}
	return values, 0
}

// compare checks got against an expected tensor, with a tolerance relative to
// its largest magnitude. It returns the largest relative difference.
func (r reference) compare(t *testing.T, name string, got []float32, tolerance float64) float64 {
	t.Helper()
	want, rounding := r.wanted(t, name)
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", name, len(got), len(want))
	}
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(want[i]))
		worst = max(worst, math.Abs(float64(got[i])-want[i])+rounding)
	}
	if !(worst <= tolerance*largest) {
		t.Errorf("%s: off by %.3g of its largest magnitude, want at most %g", name, worst/largest, tolerance)
	}
	return worst / largest
}

// TestReference makes three steps of each kind as the reference does, from the
// same weights, batches and draws, as epoch 2 of 4.
func TestReference(t *testing.T) {
	for _, test := range []struct {
		oodType            string
		w, share           float64
		alphaMin, alphaMax float64
		fcLRFactor         float64
	}{
		{oodType: OODGradient, w: 1, share: 0.10, alphaMin: 30, alphaMax: 300, fcLRFactor: 1},
		{oodType: OODShuffle, w: 5, share: 0.15, alphaMin: 1, alphaMax: 1, fcLRFactor: 0.05},
		{oodType: OODGaussian, w: 1, share: 0.10, alphaMin: 0.1, alphaMax: 0.1, fcLRFactor: 1},
	} {
		t.Run(test.oodType, func(t *testing.T) {
			c := Default(test.oodType)
			c.Arch, c.Width, c.Epochs, c.BatchSize = "resnet18_32x32", 8, 4, 8
			c.W, c.PInv, c.AlphaMin, c.AlphaMax, c.FCLRFactor = test.w, test.share, test.alphaMin, test.alphaMax, test.fcLRFactor
			replay(t, readReference(t, test.oodType), c)
		})
	}
}

const referenceSize, referenceSteps = 32, 3

func replay(t *testing.T, ref reference, c Config) {
	scope := gotorch.NewScope()
	defer scope.Close()
	l := referenceLearner(t, scope, ref, c)
	lrs, _ := ref.wanted(t, "lr_per_step")
	average := 0.0
	for k := range referenceSteps {
		if backbone, fc := l.rates(k); math.Abs(backbone-lrs[2*k]) > 1e-12 || math.Abs(fc-lrs[2*k+1]) > 1e-12 {
			t.Errorf("step %d: learning rates %v and %v, want %v", k, backbone, fc, lrs[2*k:2*k+2])
		}
		out := replayStep(t, l, ref, k)
		average = smooth(average, out.lossID+c.W*out.lossOOD)
	}
	if want, _ := ref.wanted(t, "loss_ema"); math.Abs(average-want[0]) > 1e-5 {
		t.Errorf("loss average %v, want %v", average, want[0])
	}
	if want, _ := ref.wanted(t, "alpha"); l.alpha(2) != want[0] {
		t.Errorf("alpha %v, want %v", l.alpha(2), want[0])
	}
	compareFinal(t, ref, l.net)
}

func referenceLearner(t *testing.T, scope *gotorch.Scope, ref reference, c Config) *learner {
	t.Helper()
	g, err := models.New(c.spec(10))
	if err != nil {
		t.Fatal(err)
	}
	state := ref.init()
	state["sigma"] = constant(c.Sigma, nil) // the reference sets it after its weights are loaded
	net, err := newNetwork(scope, g, state, gotorch.CPU, rowMajor)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLearner(c, net, referenceSize, c.Epochs*referenceSteps)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// replayStep makes step k with the reference's draws, and compares the outliers
// and the first step's gradients.
func replayStep(t *testing.T, l *learner, ref reference, k int) outcome {
	t.Helper()
	s := gotorch.NewScope()
	defer s.Close()
	prefix := fmt.Sprintf("batch%d.", k)
	x, y := ref.tensor(t, s, prefix+"data"), ref.integers(t, s, prefix+"label")
	ood := replayOutliers(t, l, ref, s, x, y, prefix)
	if k == 0 {
		compareGradients(t, ref, l, x, ood, y)
	}
	out, err := l.update(s, x, ood, y, when{epoch: 2, step: k})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func replayOutliers(t *testing.T, l *learner, ref reference, s *gotorch.Scope, x, y gotorch.Tensor, prefix string) gotorch.Tensor {
	t.Helper()
	if l.config.OODType == OODGaussian {
		return ref.tensor(t, s, prefix+"ood")
	}
	var ood gotorch.Tensor
	m := l.saliency(s, x, y)
	if l.config.OODType == OODGradient {
		ood = gradientOutliers(x, m, l.alpha(2), 307)
	} else {
		ood = shuffleOutliers(x, salientPixels(m, 153), ref.integers(t, s, prefix+"shuffle_index"))
	}
	t.Logf("%sood: off by %.2g", prefix, ref.compare(t, prefix+"ood", gotorch.ToSlice[float32](ood), 1e-4))
	return ood
}

// compareGradients takes the gradients that update would, on a copy of the
// network's statistics.
func compareGradients(t *testing.T, ref reference, l *learner, x, ood, y gotorch.Tensor) {
	t.Helper()
	scope := gotorch.NewScope()
	defer scope.Close()
	twin := referenceLearner(t, scope, ref, l.config)
	lossID, lossOOD, _ := twin.losses(x, ood, y)
	grads := gotorch.Grad([]gotorch.Tensor{lossID.Add(lossOOD.MulScalar(l.config.W))}, twin.sgd.Params(), gotorch.GradOptions{})
	backbone, fc := twin.net.params()
	worst := 0.0
	for i, p := range append(backbone, fc...) {
		worst = max(worst, ref.compare(t, "grad0."+p.name, gotorch.ToSlice[float32](grads[i]), 1e-4))
	}
	t.Logf("first gradients: off by %.2g at most", worst)
}

func compareFinal(t *testing.T, ref reference, n *network) {
	t.Helper()
	state, err := n.stateDict()
	if err != nil {
		t.Fatal(err)
	}
	worst, compared := 0.0, 0
	for name := range ref.want {
		bare, ok := strings.CutPrefix(name, "final.")
		if !ok || strings.HasSuffix(name, ".max") {
			continue
		}
		compared++
		if state[bare].DType == checkpoint.I64 {
			if want, _ := ref.wanted(t, name); float64(n.batches) != want[0] {
				t.Errorf("%s: %d, want %v", name, n.batches, want[0])
			}
			continue
		}
		values, err := state[bare].Float32s()
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, ref.compare(t, name, values, 1e-3))
	}
	if compared != len(state) {
		t.Errorf("%d tensors compared of %d", compared, len(state))
	}
	t.Logf("after %d steps: off by %.2g at most", referenceSteps, worst)
}

func TestSchedules(t *testing.T) {
	data, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		LR struct {
			Steps  int       `json:"total_steps"`
			LR     float64   `json:"lr"`
			Values []float64 `json:"values"`
		} `json:"lr_multiplier"`
		Alpha struct {
			Epochs   int       `json:"epochs"`
			AlphaMin float64   `json:"alpha_min"`
			AlphaMax float64   `json:"alpha_max"`
			Values   []float64 `json:"values"`
		} `json:"alpha"`
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for step, v := range want.LR.Values {
		if got := lrMultiplier(step, want.LR.Steps, want.LR.LR); math.Abs(got-v) > 1e-12 {
			t.Errorf("learning-rate multiplier at step %d: %v, want %v", step, got, v)
		}
	}
	for i, v := range want.Alpha.Values {
		if got := alpha(i+1, want.Alpha.Epochs, want.Alpha.AlphaMin, want.Alpha.AlphaMax); math.Abs(got-v) > 1e-12 {
			t.Errorf("alpha in epoch %d: %v, want %v", i+1, got, v)
		}
	}
	if len(want.LR.Values) != 41 || len(want.Alpha.Values) != 30 {
		t.Errorf("%d and %d values to compare with, want 41 and 30", len(want.LR.Values), len(want.Alpha.Values))
	}
}
