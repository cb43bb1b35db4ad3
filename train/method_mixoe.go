package train

import (
	"math"
	"math/rand/v2"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// mixOE pastes a part of an outlier into each image, and teaches the network to be as
// undecided as much of the image is gone (Zhang et al., "Mixture Outlier Exposure", 2023).
// Published for networks that cross-entropy has trained (--pretrained), for 10 epochs
// from the rate 0.001, with the score msp. The published code leaves the last step of each
// epoch out; this does not.
type mixOE struct {
	Alpha  float64 `json:"alpha"`  // the share that is kept is drawn from Beta(alpha, 1)
	Lambda float64 `json:"lambda"` // weight of the mixed images' loss
}

func init() { register("mixoe", func(Config) Method { return &mixOE{Alpha: 0.1, Lambda: 1} }) }

func (*mixOE) Head() models.Head { return models.HeadLinear }

func (*mixOE) score() artifact.Score { return artifact.Score{Name: artifact.ScoreMSP, Temperature: 1} }

func (*mixOE) exposed() {}

func (m *mixOE) check(c Config) error {
	if c.OutlierBatchSize != 0 && c.OutlierBatchSize != c.BatchSize {
		return ascood.Errorf(ascood.Invalid, "%s %d: with %s %s each image takes an outlier, so that it must be %s, %d",
			ascood.Field("outlier_batch_size"), c.OutlierBatchSize, ascood.Field("method"), c.Method, ascood.Field("batch_size"), c.BatchSize)
	}
	if err := positive("alpha", m.Alpha); err != nil {
		return err
	}
	return positive("lambda", m.Lambda)
}

func (m *mixOE) Loss(s *Step) Loss {
	shape := s.X.Shape()
	return m.loss(s, m.draw(s.Random(), shape[2], shape[3]))
}

// box are the rows from x1 up to x2 and the columns from y1 up to y2.
type box struct{ x1, y1, x2, y2 int }

// draw draws the box of a step, in images of height x width pixels: of a share 1 - λ of
// the image, around any pixel, as far as it lies in the image.
func (m *mixOE) draw(rng *rand.Rand, height, width int) box {
	side := math.Sqrt(1 - math.Pow(rng.Float64(), 1/m.Alpha))
	along := func(n int) (from, to int) {
		half, centre := int(float64(n)*side)/2, rng.IntN(n)
		return max(centre-half, 0), min(centre+half, n)
	}
	var b box
	b.x1, b.x2 = along(height)
	b.y1, b.y2 = along(width)
	return b
}

// loss passes images and mixed images through the network one after the other, as
// published.
func (m *mixOE) loss(s *Step, b box) Loss {
	shape := s.X.Shape()
	n := min(shape[0], s.Others.Shape()[0]) // of outliers some may be broken
	x, y := s.X.Narrow(0, 0, n), s.Y.Narrow(0, 0, n)
	z := s.Forward(s.X)
	hole := gotorch.Zeros(s.Scope, shape[2:], x.Device())
	hole.Narrow(0, b.x1, b.x2-b.x1).Narrow(1, b.y1, b.y2-b.y1).FillI(1)
	mixed := gotorch.Where(hole.GtScalar(0), s.Others.Narrow(0, 0, n), x)
	kept := 1 - float64((b.x2-b.x1)*(b.y2-b.y1))/float64(shape[2]*shape[3])
	p := s.Forward(mixed).LogSoftmax(1)
	ofClass := p.Gather(1, y.Unsqueeze(1)).Mean().MulScalar(-kept)
	ofAll := p.Mean().MulScalar(kept - 1)
	return Loss{ID: F.CrossEntropy(z, s.Y, F.Mean), OOD: ofClass.Add(ofAll), Weight: m.Lambda, Logits: z}
}
