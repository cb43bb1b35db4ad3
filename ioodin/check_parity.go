package ioodin

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/check"
)

// limits are what a precision may change. A score is a softmax of logits divided by
// the temperature, so that its limit, meant for the published 1000, is the wider the
// lower that is.
type limits struct {
	precision string
	tf32      bool
	logits    float64 // of an image, relative to the largest of them
	score     float64 // at temperature 1000; of scores without one, which are of any size, logits is the limit, relative to them
	index     float64 // least share of equal pixels that i-ODIN changes
	relative  bool    // whether score is relative
}

// of returns the limits of a score.
func (l limits) of(s artifact.Score) limits {
	if s.Temperature > 0 {
		l.score *= math.Max(1, 1000/s.Temperature)
	} else {
		l.score, l.relative = l.logits, true
	}
	return l
}

// apart is how far two scores are from each other.
func (l limits) apart(a, b float64) float64 {
	if l.relative {
		return math.Abs(a-b) / math.Max(1, math.Max(math.Abs(a), math.Abs(b)))
	}
	return math.Abs(a - b)
}

// The table in docs/gpu.md has what rounding alone changes.
var (
	float32Limits = limits{precision: "float32", logits: 1e-4, score: 1e-6, index: 0.99}
	tf32Limits    = limits{precision: "TF32", tf32: true, logits: 5e-3, score: 5e-6, index: 0.9}
)

// computed is what a device says of some images.
type computed struct {
	results []Result
	logits  []float32 // [N,C]
	index   []int64   // [N], if the score is i-ODIN
}

// compute scores images, with what the score is made of.
func (m *Model) compute(crops [][]uint8) (computed, error) {
	out, err := m.run(crops)
	if err != nil {
		return computed{}, err
	}
	results, err := m.results(out, len(crops))
	return computed{results, out[artifact.Logits].Floats(), out[artifact.Index].Ints()}, err
}

// open opens the score with what it is made of.
func (c *deviceCheck) open(opt Options) (*Model, error) {
	var further []string
	if c.score.Name == artifact.ScoreIODIN && c.has(artifact.Index) {
		further = append(further, artifact.Index)
	}
	part, err := scoring(c.model, c.info, c.score, further...)
	if err != nil {
		return nil, err
	}
	session, err := opt.session(part, c.info.Preprocess.ImageSize)
	if err != nil {
		return nil, err
	}
	return &Model{info: *c.info, score: c.score, session: session}, nil
}

// agrees reports how far the device's results are from the CPU's. The CPU has no TF32.
func (c *deviceCheck) agrees(ctx context.Context, data dataset.Dataset, l limits) error {
	if l.tf32 && !c.device.IsCUDA() {
		return nil
	}
	cpu, err := c.open(cpuOnly(c.options))
	if err != nil {
		return err
	}
	defer cpu.Close()
	opt := c.options
	opt.Device, opt.TF32 = c.device, l.tf32
	other, err := c.open(opt)
	if err != nil {
		return err
	}
	defer other.Close()
	l = l.of(c.score)
	a := agreement{limits: l}
	a.calibration, _ = c.info.CalibrationOf(c.score)
	for batch, err := range c.batches(ctx, data) {
		if err != nil {
			return err
		}
		if err := a.compare(cpu, other, batch); err != nil {
			return err
		}
	}
	s := c.report.Section("agreement with the CPU in " + l.precision)
	a.report(s)
	return c.repeats(s, other, l)
}

// batches goes through the fixed images, then those of data.
func (c *deviceCheck) batches(ctx context.Context, data dataset.Dataset) func(yield func([][]uint8, error) bool) {
	return func(yield func([][]uint8, error) bool) {
		for batch := range slices.Chunk(c.images, 8) {
			if !yield(batch, context.Cause(ctx)) {
				return
			}
		}
		if data == nil {
			return
		}
		order := make([]int, data.Len())
		for i := range order {
			order[i] = i
		}
		size := c.info.Preprocess.ImageSize
		for batch, err := range dataset.Batches(ctx, data, order, dataset.LoadOptions{Config: c.info.Preprocess, BatchSize: 8}) {
			if !yield(slices.Collect(slices.Chunk(batch.Pixels, size*size*3)), err) {
				return
			}
		}
	}
}

// agreement is how far one device's results are from another's.
type agreement struct {
	limits
	calibration *artifact.Calibration // nil for none

	images, classes, verdicts, indices, sameIndex int
	logit, difference                             float64
}

// compare adds images.
func (a *agreement) compare(one, other *Model, crops [][]uint8) error {
	want, err := one.compute(crops)
	if err != nil {
		return err
	}
	got, err := other.compute(crops)
	if err != nil {
		return err
	}
	n := len(want.logits) / len(crops)
	for i := range crops {
		a.add(want.results[i], got.results[i], want.logits[i*n:(i+1)*n], got.logits[i*n:(i+1)*n])
	}
	for i := range want.index {
		a.indices++
		if want.index[i] == got.index[i] {
			a.sameIndex++
		}
	}
	return nil
}

// add compares the results of an image. Classes and verdicts that the limits leave open
// do not count as different.
func (a *agreement) add(want, got Result, wantLogits, gotLogits []float32) {
	a.images++
	largest, apart := 0.0, 0.0
	for k, z := range wantLogits {
		largest = math.Max(largest, math.Abs(float64(z)))
		apart = math.Max(apart, math.Abs(float64(z-gotLogits[k])))
	}
	a.logit = math.Max(a.logit, apart/largest)
	a.difference = math.Max(a.difference, a.apart(want.Score, got.Score))
	margin := float64(wantLogits[want.Prediction] - wantLogits[got.Prediction])
	if want.Prediction != got.Prediction && !(margin <= a.limits.logits*largest) {
		a.classes++
	}
	if a.calibration == nil {
		return
	}
	d := a.calibration.Decide(want.Score)
	if d.Verdict != a.calibration.Decide(got.Score).Verdict && a.apart(want.Score, d.Threshold) > a.limits.score {
		a.verdicts++
	}
}

func (a *agreement) report(s *check.Section) {
	s.Number("images", float64(a.images), "")
	s.AtMost("logits, largest difference, relative", a.logit, a.limits.logits)
	s.AtMost("scores, largest difference", a.difference, a.limits.score)
	s.AtMost("images of another class", float64(a.classes), 0)
	if a.calibration != nil {
		s.AtMost("images of another verdict", float64(a.verdicts), 0)
	}
	if a.indices > 0 {
		s.AtLeast("share of equal iodin_index", float64(a.sameIndex)/float64(a.indices), a.limits.index)
	}
}

// repeats reports how far a device's scores are apart if images are computed again,
// and alone.
func (c *deviceCheck) repeats(s *check.Section, m *Model, l limits) error {
	again, alone := 0.0, 0.0
	for batch := range slices.Chunk(c.images, 8) {
		first, err := m.compute(batch)
		if err != nil {
			return err
		}
		second, err := m.compute(batch)
		if err != nil {
			return err
		}
		for i, image := range batch {
			one, err := m.compute([][]uint8{image})
			if err != nil {
				return err
			}
			again = math.Max(again, l.apart(first.results[i].Score, second.results[i].Score))
			alone = math.Max(alone, l.apart(first.results[i].Score, one.results[0].Score))
		}
	}
	s.AtMost("scores, computed again", again, l.score)
	s.AtMost(fmt.Sprintf("scores, alone instead of %d at once", 8), alone, l.score)
	return nil
}
