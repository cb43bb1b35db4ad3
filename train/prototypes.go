package train

import (
	"iter"
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// prototypes are what CIDER and NPOS have in common: a direction for each class, which the
// projections of two views of its images are drawn to and which is kept apart from those of
// the others. The network's logits are the similarities with them, over the temperature.
type prototypes struct {
	Temp       float64 `json:"temp"`        // temperature of the similarities
	ProtoM     float64 `json:"proto_m"`     // share of a prototype that a projection leaves
	WarmEpochs int     `json:"warm_epochs"` // epochs in which the rate grows
	FirstEpoch int     `json:"first_epoch"` // number of the first in the schedule: 1, or 0, as the published code counts, whose first rates are negative
}

var publishedPrototypes = prototypes{Temp: 0.1, ProtoM: 0.95, WarmEpochs: 10, FirstEpoch: 1}

func (prototypes) Head() models.Head { return models.HeadProjection }

// score is of the nearest training images, by the feature before the projection.
func (prototypes) score() artifact.Score { return artifact.Score{Name: "knn"} }

func (p prototypes) scales() map[string]float64 { return map[string]float64{models.Tau: p.Temp} }

func (prototypes) further() int { return 1 }

func (p prototypes) check(Config) error {
	if err := positive("temp", p.Temp); err != nil {
		return err
	}
	if !(p.ProtoM >= 0 && p.ProtoM < 1) {
		return ascood.Errorf(ascood.Invalid, "%s proto_m=%g: must be at least 0 and less than 1", ascood.Field("set"), p.ProtoM)
	}
	return within([]bounded{{"warm_epochs", p.WarmEpochs, 0, most}, {"first_epoch", p.FirstEpoch, 0, 1}})
}

// begin makes the prototypes the mean directions of the validation images.
func (prototypes) begin(s *Step, images iter.Seq2[gotorch.Tensor, gotorch.Tensor]) {
	all := s.Scope.Keep(s.Buffer(models.Prototypes)).ZeroI()
	for x, y := range images {
		f := s.Look(x).Further[models.Projection]
		gotorch.CallN(nil, 0, "index_add_", all.Beside(f), 0, y, f)
	}
	all.CopyI(unit(all))
}

// rate falls along a cosine, epoch by epoch, to a thousandth, after it has risen from 0.001.
func (p prototypes) rate(c Config, epoch, step, steps int) float64 {
	e := epoch - 1 + p.FirstEpoch
	falling := func(e int) float64 {
		least := c.LR * 1e-3
		return least + (c.LR-least)*(1+math.Cos(math.Pi*float64(e)/float64(c.Epochs)))/2
	}
	if e > p.WarmEpochs || p.WarmEpochs == 0 {
		return falling(e)
	}
	const from = 0.001
	share := float64(step+(e-1)*steps) / float64(p.WarmEpochs*steps)
	return from + share*(falling(p.WarmEpochs)-from)
}

// criterion is the training loss.
func (prototypes) criterion(r Row) float64 { return r.LossID + r.LossOOD }

// views passes both views of the images through the network, and returns what it says of
// them [2N,…] with their classes. The logits are those of the first view.
func (prototypes) views(s *Step) (out Outputs, y gotorch.Tensor) {
	n := s.X.Shape()[0]
	out = s.Pass(gotorch.Cat(append([]gotorch.Tensor{s.X}, s.Views...), 0))
	out.Logits = out.Logits.Narrow(0, 0, n).Detach()
	return out, gotorch.Cat([]gotorch.Tensor{s.Y, s.Y}, 0)
}

// losses draw projections [M,128] to the prototypes of their classes y [M], and the
// prototypes from each other. The prototypes follow the projections first, one after the
// other; the gradient of their distances goes through this step's projections.
func (p prototypes) losses(s *Step, projection, y gotorch.Tensor) (compact, apart gotorch.Tensor) {
	now := s.Buffer(models.Prototypes).Beside(projection)
	for _, round := range rounds(gotorch.ToSlice[int64](y)) {
		classes, rows := gotorch.FromSlice(s.Scope, round.classes, len(round.classes)).To(y.Device()), gotorch.FromSlice(s.Scope, round.rows, len(round.rows)).To(y.Device())
		moved := now.IndexSelect(0, classes).MulScalar(p.ProtoM).Add(projection.IndexSelect(0, rows).MulScalar(1 - p.ProtoM))
		now = gotorch.Call(nil, "index_copy", now, 0, classes, unit(moved))
	}
	kept := now.Detach()
	compact = F.CrossEntropy(projection.MatMul(kept.Transpose(0, 1)).DivScalar(p.Temp), y, F.Mean).MulScalar(p.Temp / 0.07)
	similar := now.MatMul(now.Transpose(0, 1)).DivScalar(p.Temp)
	classes := now.Shape()[0]
	others := gotorch.Call(s.Scope, "eye", classes, similar.DType(), nil, similar.Device()).Neg().AddScalar(1)
	apart = similar.Exp().Mul(others).Sum(1).DivScalar(float64(classes - 1)).Log().Mean()

	quiet := gotorch.NewScope(gotorch.NoGrad)
	defer quiet.Close()
	quiet.Keep(s.Buffer(models.Prototypes)).CopyI(kept)
	return compact, apart
}

// round are rows of different classes.
type round struct{ classes, rows []int64 }

// rounds takes rows in turn: the first of each class, the second of each, and so on.
func rounds(labels []int64) []round {
	var all []round
	seen := map[int64]int{}
	for row, class := range labels {
		at := seen[class]
		seen[class]++
		if at == len(all) {
			all = append(all, round{})
		}
		all[at].classes, all[at].rows = append(all[at].classes, class), append(all[at].rows, int64(row))
	}
	return all
}

// unit brings each row to length 1, but for zeros.
func unit(x gotorch.Tensor) gotorch.Tensor {
	return x.Div(gotorch.Call(nil, "clamp_min", length(x), 1e-12))
}
