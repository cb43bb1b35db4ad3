package train

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/check"
	"github.com/ascood/ascood/models"
)

// What a device may differ by from the CPU in float32, in which both compute. A
// ReLU whose input is next to 0 changes the gradients of the layers before it, and
// saliencies that are equal but for rounding change places.
const (
	lossLimit     = 1e-4 // relative
	gradientLimit = 0.03 // of all gradients as one vector, relative to its length
	movedLimit    = 0.02 // share of the outliers' elements
)

// CheckDevice makes steps with each type of outliers on a device and on the CPU, from
// the same weights, images and draws, and reports how far they are apart and how
// fast each is. The network is a resnet18_32x32 of width 16, on noise.
func CheckDevice(d ascood.Device, o Options) (*check.Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	device, err := openDevice(d, o.Log)
	if err != nil {
		return nil, err
	}
	if err := gotorch.SetNumThreads(o.Threads); err != nil {
		return nil, ascood.In("threads", err)
	}
	if err := setFlags(Config{}, device, o.Log); err != nil {
		return nil, err
	}
	runtime.LockOSThread() // as start does
	defer runtime.UnlockOSThread()
	build, err := gotorch.Build()
	if err != nil {
		return nil, err
	}
	report := &check.Report{}
	found := report.Section("found")
	found.Fact("libtorch", build.Version)
	found.Fact("device", device.String())
	found.Fact("threads of the CPU", fmt.Sprint(o.Threads))
	for _, oodType := range OODTypes() {
		if err := checkOutliers(report.Section(oodType+" outliers"), oodType, device); err != nil {
			return nil, fmt.Errorf("%s outliers: %w", oodType, err)
		}
	}
	bytes, known, err := device.PeakMemory()
	if known && err == nil {
		report.Section("memory").Number("most at once on "+device.String(), float64(bytes)/(1<<20), "MiB")
	}
	return report, err
}

// trial is a network on a device with a batch to train it on.
type trial struct {
	learner *learner
	method  *synthesis
	scope   *gotorch.Scope
	x, y    gotorch.Tensor
}

const trialSize, trialBatch, trialSteps = 32, 32, 5

func newTrial(scope *gotorch.Scope, c Config, device gotorch.Device) (*trial, error) {
	g, err := models.New(c.spec(10), trialSize)
	if err != nil {
		return nil, err
	}
	net, err := newNetwork(scope, g, initial(g, c.scales(), c.Seed), place(device, c))
	if err != nil {
		return nil, err
	}
	l, err := newLearner(c, net, trialSize, trialSteps)
	if err != nil {
		return nil, err
	}
	draws := gotorch.NewGenerator(scope, gotorch.CPU, c.Seed)
	x := gotorch.RandN(scope, []int{trialBatch, 3, trialSize, trialSize}, draws).To(device)
	y := gotorch.RandInt(scope, 0, 10, []int{trialBatch}, draws).To(device)
	return &trial{l, l.method.(*synthesis), scope, net.at.layout.arrange(x), y}, scope.Err()
}

// checkOutliers compares the steps with one type of outliers.
func checkOutliers(s *check.Section, oodType string, device gotorch.Device) error {
	scope := gotorch.NewScope()
	defer scope.Close()
	c := Default(oodType)
	c.Arch, c.Width, c.Epochs = "resnet18_32x32", 16, 1
	cpu, err := newTrial(scope, c, gotorch.CPU)
	if err != nil {
		return err
	}
	other, err := newTrial(scope, c, device)
	if err != nil {
		return err
	}
	// The draws of the two devices differ, so that both take the CPU's outliers; those
	// that depend on no draw are compared.
	ood := cpu.outliers()
	if oodType == OODGradient {
		s.AtMost("share of outliers' elements that differ", moved(ood, other.outliers().To(gotorch.CPU)), movedLimit)
	}
	lossCPU, gradsCPU := cpu.gradients(ood)
	loss, grads := other.gradients(ood.To(device))
	s.AtMost("loss, relative difference", math.Abs(loss-lossCPU)/math.Abs(lossCPU), lossLimit)
	s.AtMost("gradients, relative difference", apart(grads, gradsCPU), gradientLimit)
	if err := scope.Err(); err != nil {
		return err
	}
	for _, t := range []struct {
		name string
		*trial
	}{{"the CPU", cpu}, {device.String(), other}} {
		rate, err := t.rate()
		if err != nil {
			return err
		}
		s.Number("training on "+t.name, rate, "images/s")
	}
	return nil
}

// outliers are those of the batch.
func (t *trial) outliers() gotorch.Tensor {
	return t.method.outliers(t.method.batch(t.learner.at(t.scope, t.x, t.y, when{epoch: 1})))
}

// gradients returns the loss of a step and the gradients of all parameters, on the
// CPU.
func (t *trial) gradients(ood gotorch.Tensor) (float64, []gotorch.Tensor) {
	loss := t.method.loss(t.learner.at(t.scope, t.x, t.y, when{epoch: 1}), ood).total()
	grads := gotorch.Grad([]gotorch.Tensor{loss}, t.learner.sgd.Params(), gotorch.GradOptions{})
	for i, g := range grads {
		grads[i] = g.To(gotorch.CPU)
	}
	return loss.Item(), grads
}

// rate returns how many images a second whole steps train on, after one that is not
// counted. No step waits for the one before, as in an epoch.
func (t *trial) rate() (float64, error) {
	scope := gotorch.NewScope(gotorch.NoGrad) // of the numbers alone: steps free what they made
	defer scope.Close()
	var start time.Time
	var last gotorch.Tensor
	for k := range trialSteps {
		s := gotorch.NewScope()
		numbers, err := t.learner.step(t.learner.at(s, t.x, t.y, when{epoch: 1, step: k}))
		if err == nil {
			last = scope.Keep(numbers)
		}
		s.Close()
		if err != nil {
			return 0, err
		}
		if k == 0 {
			if _, err := readOutcome(last); err != nil {
				return 0, err
			}
			start = time.Now()
		}
	}
	_, err := readOutcome(last) // as far into its step as the first was into its own
	return trialBatch * (trialSteps - 1) / time.Since(start).Seconds(), err
}

// moved is the share of elements that differ by more than rounding.
func moved(a, b gotorch.Tensor) float64 {
	v, w := gotorch.ToSlice[float32](a.Contiguous()), gotorch.ToSlice[float32](b.Contiguous())
	largest := float64(max(slices.Max(w), -slices.Min(w)))
	n := 0
	for i := range v {
		if !(math.Abs(float64(v[i]-w[i])) <= 1e-4*largest) {
			n++
		}
	}
	return float64(n) / float64(len(v))
}

// apart is the length of the difference of two sets of tensors, relative to the
// second's.
func apart(a, b []gotorch.Tensor) float64 {
	var difference, length float64
	for i := range a {
		difference += a[i].Sub(b[i]).Pow(2).Sum().Item()
		length += b[i].Pow(2).Sum().Item()
	}
	return math.Sqrt(difference / length)
}
