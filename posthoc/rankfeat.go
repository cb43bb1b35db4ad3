package posthoc

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/ascood/ascood/artifact"
)

// RankFeat is E((z₃+z₄)/2), where z₃ and z₄ are the logits after the map [C,H·W]
// of a ResNet's third or fourth stage has lost its largest singular component
// (Song et al., "RankFeat: Rank-1 Feature Removal for Out-of-distribution
// Detection", 2022). It takes gradients of nothing, but runs the fourth stage
// twice.
type RankFeat struct {
	linear linear
	resume func(value string, x Tensor) (Matrix, error)
}

func init() { register("rankfeat", func() Method { return &RankFeat{} }, nil) }

func (*RankFeat) Needs() Needs { return Needs{Graph: []string{artifact.Layer3, artifact.Layer4}} }

func (m *RankFeat) Fit(d *Data) error {
	m.linear, m.resume = d.linear(), d.Continue
	return nil
}

func (m *RankFeat) Score(b *Batch) ([]float64, error) {
	third, fourth := removeRank1(b.Graph[artifact.Layer3]), removeRank1(b.Graph[artifact.Layer4])
	after3, err := m.resume(artifact.Layer3, third)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, after3.Rows())
	area := fourth.Shape[2] * fourth.Shape[3]
	parallel(len(scores), func(i int) {
		// The last layer is affine: the mean of the logits is that of the mean feature.
		h := doubles(after3.Row(i))
		for k := range h {
			for _, v := range fourth.image(i)[k*area : (k+1)*area] {
				h[k] += float64(v) / float64(area)
			}
			h[k] /= 2
		}
		scores[i] = energy(m.linear.logits(h))
	})
	return scores, nil
}

// removeRank1 returns each image's map [C,H·W] without its largest singular
// component.
func removeRank1(maps Tensor) Tensor {
	rest := Tensor{make([]float32, len(maps.Data)), maps.Shape}
	parallel(maps.Shape[0], func(i int) {
		x := blas64.General{
			Rows: maps.Shape[1], Cols: maps.Shape[2] * maps.Shape[3], Stride: maps.Shape[2] * maps.Shape[3],
			Data: doubles(maps.image(i)),
		}
		u, v := principal(x)
		for k, value := range x.Data {
			rest.image(i)[k] = float32(value - u[k/x.Cols]*v[k%x.Cols])
		}
	})
	return rest
}

// principal returns u and the unit vector v with u·vᵀ the largest singular
// component of x, by power iteration from the mean row: maps after a ReLU are
// not negative, so that is never at right angles to v.
func principal(x blas64.General) (u, v []float64) {
	u, v = make([]float64, x.Rows), make([]float64, x.Cols)
	vector := func(s []float64) blas64.Vector { return blas64.Vector{N: len(s), Data: s, Inc: 1} }
	floats.AddConst(1, u)
	last := make([]float64, x.Cols)
	const most, enough = 1000, 1e-10
	for range most {
		copy(last, v)
		blas64.Gemv(blas.Trans, 1, x, vector(u), 0, vector(v))
		length := math.Sqrt(floats.Dot(v, v))
		if length == 0 { // nothing to remove
			clear(u)
			return u, v
		}
		floats.Scale(1/length, v)
		blas64.Gemv(blas.NoTrans, 1, x, vector(v), 0, vector(u))
		if floats.Distance(v, last, 2) < enough {
			break
		}
	}
	return u, v
}
