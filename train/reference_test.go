package train

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
)

// reference is three steps of the reference implementation in float64
// (testdata/README.md).
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
	return reference{read("given"), read("steps")}
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

// tensor uploads a given floating-point tensor.
func (r reference) tensor(t *testing.T, s *gotorch.Scope, name string, dtype gotorch.DType) gotorch.Tensor {
	t.Helper()
	return uploadGiven(t, s, r.given, name, dtype)
}

func uploadGiven(t *testing.T, s *gotorch.Scope, tensors checkpoint.StateDict, name string, dtype gotorch.DType) gotorch.Tensor {
	t.Helper()
	values, err := tensors[name].Float32s()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return gotorch.FromSlice(s, values, tensors[name].Shape...).To(dtype)
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

// wanted returns the values of an expected tensor.
func (r reference) wanted(t *testing.T, name string) []float64 {
	t.Helper()
	tensor, ok := r.want[name]
	if !ok {
		t.Fatalf("no %s among the expected tensors", name)
	}
	values := make([]float64, 0, tensor.Len())
	for data := tensor.Data; len(data) > 0; data = data[tensor.DType.Size():] {
		if tensor.DType == checkpoint.F64 {
			values = append(values, math.Float64frombits(binary.LittleEndian.Uint64(data)))
		} else {
			values = append(values, float64(math.Float32frombits(binary.LittleEndian.Uint32(data))))
		}
	}
	return values
}

// every is the stride at which a tensor of so many values is kept: large ones at
// 7, which passes through all places of 1x1 and 3x3 kernels.
func every(values int) int {
	if values > 1024 {
		return 7
	}
	return 1
}

// difference is how far values are from an expected tensor.
type difference struct {
	worst         float64 // relative to the tensor's largest magnitude
	beyond        int     // values that are off by more than rounded, or no numbers
	apart, length float64 // squared lengths of the difference and of the tensor
}

func (r reference) off(t *testing.T, name string, got []float64) difference {
	t.Helper()
	want, stride := r.wanted(t, name), 1
	if len(want) != len(got) {
		stride = every(len(got))
	}
	if (len(got)+stride-1)/stride != len(want) {
		t.Fatalf("%s: %d values at steps of %d do not match the %d expected", name, len(got), stride, len(want))
	}
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	var d difference
	for i, v := range want {
		off := math.Abs(got[i*stride] - v)
		d.worst = max(d.worst, off/largest) // NaN if off is
		d.apart, d.length = d.apart+off*off, d.length+v*v
		if !(off <= rounded*largest) {
			d.beyond++
		}
	}
	return d
}

const (
	referenceSize, referenceSteps = 32, 3

	// exact is the tolerance in float64: what storing the reference as float32 takes.
	exact = 1e-6

	// What rounding allows in float32, relative to a tensor's largest magnitude. Among
	// a million activations about one is so close to 0 that the order of summation
	// decides whether its ReLU lets a gradient pass. That changes the gradients of
	// the layers before it; which steps have such an activation differs by processor.
	// With inputs that were moved by rounding, up to 40% of all gradients were
	// changed, by at most 7e-2, and none of the loss, the last layer or the statistics.
	rounded      = 1e-4
	switched     = 0.1  // of the gradients that a ReLU has changed
	mostSwitched = 0.5  // share of these among all
	whole        = 0.03 // of a step's gradients taken as one vector, relative to its length

	// Saliencies that are equal but for rounding change places at the edge of the mask
	// or in the order of the pixels.
	mostMoved = 0.02 // share of an outlier batch's elements
)

// TestReference makes three steps of each kind as the reference does, from the
// same weights, batches and draws, as epoch 2 of 4: with the trainer's own code
// in float64, where they agree to the reference's last digit on any processor, and
// from the same states in float32, where each step agrees as rounding allows. Three
// steps in a row would not: they drift apart.
func TestReference(t *testing.T) {
	var gradients, others int
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
			r := replay{readReference(t, test.oodType), c}
			at := state{r.init(), checkpoint.StateDict{}}
			at.model["sigma"] = checkpoint.FromFloat32s([]float32{float32(c.Sigma)}) // the reference sets it after its weights are loaded
			for k := range referenceSteps {
				double, single := r.step(t, at, k, gotorch.Float64), r.step(t, at, k, gotorch.Float32)
				r.compareDouble(t, double.values)
				all, changed := r.compareSingle(t, single.values)
				gradients, others = gradients+all, others+changed
				at = double.after
			}
		})
	}
	t.Logf("float32: %d of %d gradients are off by more than %g", others, gradients, rounded)
	if float64(others) > mostSwitched*float64(gradients) {
		t.Errorf("float32: %d of %d gradients are off by more than %g, want at most %g of them", others, gradients, rounded, mostSwitched)
	}
}

// replay repeats the reference's steps.
type replay struct {
	reference
	config Config
}

// state is what a step starts from.
type state struct{ model, momentum checkpoint.StateDict }

// compareDouble checks what a step in float64 came to.
func (r replay) compareDouble(t *testing.T, got map[string][]float64) {
	t.Helper()
	for name, values := range got {
		if d := r.off(t, name, values); !(d.worst <= exact) {
			t.Errorf("float64: %s is off by %.2g of its largest magnitude, want at most %g", name, d.worst, exact)
		}
	}
}

// compareSingle checks what a step in float32 came to. It counts the gradients and
// those among them that a ReLU has changed.
func (r replay) compareSingle(t *testing.T, got map[string][]float64) (gradients, others int) {
	t.Helper()
	var apart, length float64
	for name, values := range got {
		d, limit := r.off(t, name, values), rounded
		switch _, part, _ := strings.Cut(name, "."); {
		case part == "ood":
			if float64(d.beyond) > mostMoved*float64(len(values)) {
				t.Errorf("float32: %s differs in %d of %d elements, want at most %g of them", name, d.beyond, len(values), mostMoved)
			}
			continue
		case strings.HasPrefix(part, "grad.backbone."):
			limit = switched
			gradients++
			others += min(1, d.beyond)
			apart, length = apart+d.apart, length+d.length
		case strings.HasPrefix(part, "after.") && !strings.Contains(part, ".running_"):
			limit = switched
		}
		if !(d.worst <= limit) {
			t.Errorf("float32: %s is off by %.2g of its largest magnitude, want at most %g", name, d.worst, limit)
		}
	}
	if d := math.Sqrt(apart / length); !(d <= whole) {
		t.Errorf("float32: the gradients are off by %.2g of their length, want at most %g", d, whole)
	}
	return gradients, others
}

// made is what a step came to.
type made struct {
	values map[string][]float64 // by the reference's names
	after  state                // rounded to float32, as checkpoints keep it
}

// step makes step k from a state with the reference's draws.
func (r replay) step(t *testing.T, from state, k int, dtype gotorch.DType) made {
	t.Helper()
	scope := gotorch.NewScope()
	defer scope.Close()
	l := r.learner(t, scope, from, dtype)
	backbone, fc := l.net.params()
	params := slices.Concat(backbone, fc)
	m := made{values: map[string][]float64{}, after: state{momentum: checkpoint.StateDict{}}}
	keep := func(name string, values ...float64) { m.values[fmt.Sprintf("step%d.%s", k, name)] = values }
	flat := func(t gotorch.Tensor) []float64 { return gotorch.ToSlice[float64](t.Detach().To(gotorch.Float64)) }

	r.checkSchedules(t, l, k)
	prefix := fmt.Sprintf("batch%d.", k)
	x, y := r.tensor(t, scope, prefix+"data", dtype), r.integers(t, scope, prefix+"label")
	var ood gotorch.Tensor // the step takes the reference's
	if r.config.OODType == OODGaussian {
		ood = r.tensor(t, scope, prefix+"ood", dtype)
	} else {
		keep("ood", flat(r.outliers(t, l, scope, x, y, prefix))...)
		ood = uploadGiven(t, scope, r.want, fmt.Sprintf("step%d.ood", k), dtype)
	}
	copied := r.learner(t, scope, from, dtype) // as taking gradients changes the statistics
	at := when{epoch: 2, step: k}
	grads := gotorch.Grad([]gotorch.Tensor{lossOf(copied, scope, x, ood, y, at).total()}, copied.sgd.Params(), gotorch.GradOptions{})
	for i, p := range params {
		keep("grad."+p.name, flat(grads[i])...)
	}
	numbers, err := l.update(l.at(scope, x, y, at), lossOf(l, scope, x, ood, y, at))
	if err != nil {
		t.Fatal(err)
	}
	out, err := readOutcome(numbers)
	if err != nil {
		t.Fatal(err)
	}
	keep("loss", out.lossID, out.lossOOD)
	for name, tensor := range l.net.state {
		if name != "sigma" { // set, not trained
			keep("after."+name, flat(tensor)...)
		}
	}
	if m.after.model, err = l.net.stateDict(); err != nil {
		t.Fatal(err)
	}
	if err := l.momentum(m.after.momentum); err != nil {
		t.Fatal(err)
	}
	if err := scope.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

// lossOf is the loss of ASCOOD with the given outliers.
func lossOf(l *learner, s *gotorch.Scope, x, ood, y gotorch.Tensor, at when) Loss {
	return l.method.(*synthesis).loss(l.at(s, x, y, at), ood)
}

// saliencyOf is that of the configuration.
func saliencyOf(l *learner, s *gotorch.Scope, x, y gotorch.Tensor) gotorch.Tensor {
	return l.at(s, x, y, when{}).Saliency(l.config.Saliency == SaliencyTrain)
}

// learner returns one in the given state.
func (r replay) learner(t *testing.T, scope *gotorch.Scope, from state, dtype gotorch.DType) *learner {
	t.Helper()
	g, err := models.New(r.config.spec(10), referenceSize)
	if err != nil {
		t.Fatal(err)
	}
	net, err := newNetwork(scope, g, from.model, placement{device: gotorch.CPU, layout: channelsLast, dtype: dtype})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLearner(r.config, net, referenceSize, r.config.Epochs*referenceSteps)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&saved{training: from.momentum}).restore(l); err != nil {
		t.Fatal(err)
	}
	return l
}

// checkSchedules compares the step's learning rates and alpha.
func (r replay) checkSchedules(t *testing.T, l *learner, k int) {
	t.Helper()
	lrs, a := r.wanted(t, "lr_per_step")[2*k:2*k+2], r.wanted(t, "alpha")[0]
	const tolerance = 1e-8 // they were stored as float32
	backbone := l.rate(when{step: k})
	if fc := l.rated[1](backbone); math.Abs(backbone-lrs[0]) > tolerance || math.Abs(fc-lrs[1]) > tolerance {
		t.Errorf("step %d: learning rates %v and %v, want %v", k, backbone, fc, lrs)
	}
	if got := l.alpha(2); math.Abs(got-a) > tolerance {
		t.Errorf("alpha %v, want %v", got, a)
	}
}

// outliers are those that the trainer makes with the reference's draws.
func (r replay) outliers(t *testing.T, l *learner, s *gotorch.Scope, x, y gotorch.Tensor, prefix string) gotorch.Tensor {
	t.Helper()
	m := saliencyOf(l, s, x, y)
	if r.config.OODType == OODGradient {
		return gradientOutliers(x, m, l.alpha(2), 307)
	}
	return shuffleOutliers(x, salientPixels(m, 153), r.integers(t, s, prefix+"shuffle_index"))
}

// TestSaliencyInTrainingMode compares the saliency and what taking it leaves behind: the
// running statistics have moved, and the step then moves them again.
func TestSaliencyInTrainingMode(t *testing.T) {
	c := Default(OODGradient)
	c.Arch, c.Width, c.Epochs, c.Saliency = "resnet18_32x32", 8, 4, SaliencyTrain
	r := replay{readReference(t, OODGradient), c}
	wanted, err := checkpoint.Load("testdata/saliency.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	r.want = wanted.Model
	at := state{r.init(), checkpoint.StateDict{}}
	at.model["sigma"] = checkpoint.FromFloat32s([]float32{float32(c.Sigma)})
	scope := gotorch.NewScope()
	defer scope.Close()
	l := r.learner(t, scope, at, gotorch.Float64)
	m := saliencyOf(l, scope, r.tensor(t, scope, "batch0.data", gotorch.Float64), r.integers(t, scope, "batch0.label"))
	got := map[string][]float64{"saliency": gotorch.ToSlice[float64](m)}
	for name, tensor := range l.net.state {
		if strings.Contains(name, ".running_") {
			got["after."+name] = gotorch.ToSlice[float64](tensor)
		}
	}
	if err := scope.Err(); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(r.want) || l.net.batches != 1 {
		t.Errorf("%d values, %d batches; want %d and 1", len(got), l.net.batches, len(r.want))
	}
	r.compareDouble(t, got)
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

func TestSmooth(t *testing.T) {
	average := 0.0
	for _, loss := range []float64{1, 2, 4} {
		average = smooth(average, loss)
	}
	if want := 0.2*(0.64*1+0.8*2) + 0.2*4; math.Abs(average-want) > 1e-15 {
		t.Errorf("average %v, want %v", average, want)
	}
}
