package train

import (
	"math/rand/v2"

	"github.com/ascood/ascood/gotorch"
	F "github.com/ascood/ascood/gotorch/nn/functional"
	"github.com/ascood/ascood/models"
)

// npos is CIDER, and has a small network tell images from outliers by the feature: draws
// around those of the features kept of each class that are farthest from their neighbours,
// as far as the draws are so, too (Tao et al., "Non-Parametric Outlier Synthesis", 2023).
// The features are kept from epoch to epoch, as its paper has it; the published code loses
// them at the end of each, and then divides zeros by their length. Its smaller rate for the
// small network is overwritten before it is used, and so is none here. As there, the
// distances of the draws of several features are compared in an order that mixes these.
// Published for CIFAR with the rate 0.1, weight decay 1e-4, 256 images a step and the
// augmentation contrastive, with the score knn of the feature.
type npos struct {
	prototypes
	WComp        float64 `json:"w_comp"`          // weight of what draws to the prototypes
	WDisp        float64 `json:"w_disp"`          // of what draws these apart
	LossWeight   float64 `json:"loss_weight"`     // of the loss of telling outliers apart
	StartEpoch   int     `json:"start_epoch_knn"` // first epoch with outliers
	SampleNumber int     `json:"sample_number"`   // features of a class that are kept
	K            int     `json:"k"`               // of the nearest neighbours, the one whose distance counts
	Select       int     `json:"select"`          // features of a class that are farthest from it
	PickNums     int     `json:"pick_nums"`       // of these, random ones to draw around
	SampleFrom   int     `json:"sample_from"`     // draws around each
	CovMat       float64 `json:"cov_mat"`         // standard deviation of the draws
	IDPointsNum  int     `json:"id_points_num"`   // of the draws around each, those that are outliers

	memory
}

func init() {
	register("npos", func(Config) Method {
		return &npos{
			prototypes: publishedPrototypes, WComp: 1, WDisp: 0.5, LossWeight: 0.1, StartEpoch: 40,
			SampleNumber: 1000, K: 300, Select: 200, PickNums: 2, SampleFrom: 600, CovMat: 0.1, IDPointsNum: 200,
		}
	})
}

const nposNet, nposWidth = "mlp", 128

func (m *npos) own(of sizes) []models.Param {
	m.size = m.SampleNumber
	net := append(linear(nposNet+".0", of.feature, nposWidth), linear(nposNet+".2", nposWidth, 1)...)
	return append(net, m.memory.own(of)...)
}

func (m *npos) check(c Config) error {
	for _, v := range []struct {
		name  string
		value float64
	}{{"w_comp", m.WComp}, {"w_disp", m.WDisp}, {"loss_weight", m.LossWeight}, {"cov_mat", m.CovMat}} {
		if err := positive(v.name, v.value); err != nil {
			return err
		}
	}
	err := within([]bounded{
		{"sample_number", m.SampleNumber, 1, most}, {"start_epoch_knn", m.StartEpoch, 0, most}, {"k", m.K, 1, m.SampleNumber}, {"select", m.Select, 1, m.SampleNumber},
		{"pick_nums", m.PickNums, 1, m.Select}, {"sample_from", m.SampleFrom, 1, most}, {"id_points_num", m.IDPointsNum, 1, m.SampleFrom},
	})
	if err != nil {
		return err
	}
	return m.prototypes.check(c)
}

// criterion is the training loss.
func (m *npos) criterion(r Row) float64 { return r.LossID + m.LossWeight*r.LossOOD }

func (m *npos) Loss(s *Step) Loss {
	random := s.Random()
	return m.loss(s, func(in *gotorch.Scope, dim int) gotorch.Tensor {
		return gotorch.RandN(in, []int{m.SampleFrom, dim}, s.X.Device(), s.Generator())
	}, func(int) []int64 { return pick(random, m.Select, m.PickNums) })
}

// pick draws so many of the numbers below n.
func pick(random *rand.Rand, n, count int) []int64 {
	var picked []int64
	for _, i := range random.Perm(n)[:count] {
		picked = append(picked, int64(i))
	}
	return picked
}

// loss takes normal draws, the same for all features, and the features of each class that
// are drawn around.
func (m *npos) loss(s *Step, normal func(in *gotorch.Scope, dim int) gotorch.Tensor, picks func(class int) []int64) Loss {
	out, y := m.views(s)
	compact, apart := m.losses(s, out.Further[models.Projection], y)
	loss := Loss{ID: compact.MulScalar(m.WComp).Add(apart.MulScalar(m.WDisp)), Weight: m.LossWeight, Logits: out.Logits}
	if !m.add(s, out.Feature, y) || s.Epoch < m.StartEpoch {
		return loss
	}
	told := m.tell(s, out.Feature).Neg() // softplus(-x) is the loss of 1, softplus(x) of 0
	outliers := m.tell(s, m.draw(s, normal, picks))
	loss.OOD = gotorch.Call(nil, "softplus", gotorch.Cat([]gotorch.Tensor{told, outliers}, 0)).Mean()
	return loss
}

// tell is the small network, of features [N,D]: large for images, [N,1].
func (*npos) tell(s *Step, h gotorch.Tensor) gotorch.Tensor {
	return s.Linear(nposNet+".2", F.ReLU(s.Linear(nposNet+".0", h)))
}

// draw draws the outliers [C·PickNums·IDPointsNum,D].
func (m *npos) draw(s *Step, normal func(*gotorch.Scope, int) gotorch.Tensor, picks func(class int) []int64) gotorch.Tensor {
	quiet := gotorch.NewScope(gotorch.NoGrad)
	defer quiet.Close()
	features := quiet.Keep(m.features(s))
	shape := features.Shape()
	e := normal(quiet, shape[2]).MulScalar(m.CovMat)
	var outliers []gotorch.Tensor
	for class := range shape[0] {
		inner := gotorch.NewScope(gotorch.NoGrad)
		outliers = append(outliers, s.Scope.Keep(m.drawn(inner, inner.Keep(features).Select(0, class), inner.Keep(e), picks(class))))
		inner.Close()
	}
	return gotorch.Cat(outliers, 0)
}

// drawn draws around some of the features [K,D] of a class.
func (m *npos) drawn(in *gotorch.Scope, features, e gotorch.Tensor, picks []int64) gotorch.Tensor {
	directions := unit(features)
	cosines := func(unit gotorch.Tensor) gotorch.Tensor { return unit.MatMul(directions.Transpose(0, 1)) }
	// The K-th nearest is the one of the K-th largest cosine.
	distance := func(cosines gotorch.Tensor) gotorch.Tensor {
		nearest, _ := cosines.TopK(m.K, 1, true)
		return nearest.Select(1, m.K-1).Neg()
	}
	among := cosines(directions)
	among = among.Add(among.Transpose(0, 1)) // the same in both directions, however it is rounded
	_, lonely := distance(among).TopK(m.Select, 0, true)
	around := features.IndexSelect(0, lonely.IndexSelect(0, gotorch.FromSlice(in, picks, len(picks)).To(features.Device())))
	draws := around.Unsqueeze(1).Add(e.Unsqueeze(0)).Flatten(0, 1)
	_, far := distance(cosines(unit(draws))).View(m.SampleFrom, -1).TopK(m.IDPointsNum, 0, true) // [IDPointsNum,PickNums]
	first := make([]int64, len(picks))                                                           // of the draws around each
	for i := range first {
		first[i] = int64(i * m.SampleFrom)
	}
	rows := far.Transpose(0, 1).Add(gotorch.FromSlice(in, first, len(first), 1).To(features.Device())).Flatten(0, 1)
	return draws.IndexSelect(0, rows)
}
