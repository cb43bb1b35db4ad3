package ioodin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/check"
)

// speed reports how fast the device and the CPU score images.
func (c *deviceCheck) speed(ctx context.Context) error {
	opt := c.options
	opt.Device = c.device
	if err := c.timeAndMemory(ctx, opt); err != nil {
		return err
	}
	if !c.device.IsCUDA() {
		return c.rates(ctx, c.device.String(), opt, 1, 8)
	}
	for _, v := range []struct {
		name       string
		tf32, nhwc bool
	}{{"float32", false, false}, {"TF32", true, false}, {"float32, channels innermost", false, true}, {"TF32, channels innermost", true, true}} {
		opt.TF32, opt.nhwc = v.tf32, v.nhwc
		if err := c.rates(ctx, fmt.Sprintf("%s in %s", c.device, v.name), opt, 1, 8, 32, 128); err != nil {
			return err
		}
	}
	return c.rates(ctx, "cpu", cpuOnly(c.options), 1, 8)
}

// timeAndMemory reports how long opening the score takes, what it costs that batch
// sizes take turns, and how much memory a GPU takes for it all.
func (c *deviceCheck) timeAndMemory(ctx context.Context, opt Options) error {
	free, known := c.memory()
	s := c.report.Section("time and memory")
	m, err := c.first(s, opt)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := c.inTurn(ctx, s, m); err != nil {
		return err
	}
	if known {
		if _, err := m.Score(ctx, c.batch(128)); err != nil { // of all padded sizes
			return err
		}
		left, _ := c.memory()
		s.Number("memory of "+c.device.String(), float64(free-left)/(1<<20), "MiB")
	}
	return nil
}

// first opens the score, and reports how long it takes until the first image is scored.
func (c *deviceCheck) first(s *check.Section, opt Options) (*Model, error) {
	start := time.Now()
	m, err := c.open(opt)
	if err != nil {
		return nil, err
	}
	if _, err := m.compute(c.images[:1]); err != nil {
		m.Close()
		return nil, err
	}
	s.Number("opening the model and scoring a first image", time.Since(start).Seconds(), "s")
	return m, nil
}

// inTurn reports what it costs that batches of two sizes take turns.
func (c *deviceCheck) inTurn(ctx context.Context, s *check.Section, m *Model) error {
	var apart time.Duration
	for _, n := range []int{1, 8} {
		each, err := perRun(ctx, m, c.batch(n))
		if err != nil {
			return err
		}
		apart += each
	}
	both, err := perRun(ctx, m, c.batch(1), c.batch(8))
	if err != nil {
		return err
	}
	s.Number("batches of 1 and 8 in turn, relative to apart", both.Seconds()/apart.Seconds(), "")
	return nil
}

// scores are those to time: four that every artifact has, and its own.
func (c *deviceCheck) scores() ([]artifact.Score, error) {
	var scores []artifact.Score
	for _, name := range []artifact.ScoreName{artifact.ScoreMSP, artifact.ScoreODIN, artifact.ScoreIODINFast, artifact.ScoreIODIN} {
		score, err := artifact.DefaultScore(name)
		if err != nil {
			return nil, err
		}
		scores = append(scores, score)
	}
	if c.score.Output() == artifact.OwnScore {
		scores = append(scores, c.score)
	}
	return scores, nil
}

// rates reports how many images a second each score takes, in batches of the sizes.
func (c *deviceCheck) rates(ctx context.Context, where string, opt Options, sizes ...int) error {
	s := c.report.Section("images/s on " + where)
	scores, err := c.scores()
	if err != nil {
		return err
	}
	for _, score := range scores {
		if slices.ContainsFunc(score.Needed(), func(output string) bool { return !c.has(output) }) {
			continue
		}
		opt.Score = &score
		m, err := New(c.model, c.info, opt)
		if err != nil {
			return err
		}
		for _, n := range sizes {
			var r float64
			if r, err = rate(ctx, m, c.batch(n)); err != nil {
				break
			}
			s.Number(fmt.Sprintf("%s, %d at once", score.Name, n), r, "")
		}
		m.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// batch returns n images.
func (c *deviceCheck) batch(n int) [][]uint8 {
	images := make([][]uint8, n)
	for i := range images {
		images[i] = c.images[i%len(c.images)]
	}
	return images
}

// rate returns how many images a second a model scores.
func rate(ctx context.Context, m *Model, crops [][]uint8) (float64, error) {
	each, err := perRun(ctx, m, crops)
	return float64(len(crops)) / each.Seconds(), err
}

// measured is how long a measurement lasts at least, after a first run.
const measured = 300 * time.Millisecond

// perRun returns how long it takes to score the batches once.
func perRun(ctx context.Context, m *Model, batches ...[][]uint8) (time.Duration, error) {
	runs := -1
	for start := time.Now(); ; {
		for _, crops := range batches {
			if _, err := m.Score(ctx, crops); err != nil {
				return 0, err
			}
		}
		runs++
		if runs == 0 {
			start = time.Now()
		} else if took := time.Since(start); took >= measured {
			return took / time.Duration(runs), nil
		}
	}
}
