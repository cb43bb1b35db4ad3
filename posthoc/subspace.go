package posthoc

import (
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/ascood/ascood"
)

// subspace is what the principal directions of features about an origin leave.
type subspace struct {
	origin   []float64  // [D]
	residual *mat.Dense // [D,D-dim]: the other directions
}

// fitSubspace takes the directions of the dim largest eigenvalues of the features'
// covariance about the origin -W⁺b.
func fitSubspace(l linear, features Bank, dim int) (s subspace, err error) {
	if s.origin, err = blindSpot(l); err != nil {
		return s, err
	}
	covariance, err := scatter(features, func(int) []float64 { return s.origin })
	if err != nil {
		return s, err
	}
	_, vectors, err := eigen(covariance)
	if err != nil {
		return s, err
	}
	d := len(s.origin)
	s.residual = mat.DenseCopyOf(vectors.Slice(0, d, 0, d-dim))
	return s, nil
}

func checkSubspace(dim int, s Sizes) error {
	if dim < 1 || dim >= s.Dim {
		return ascood.Errorf(ascood.Invalid, "dim %d: must be at least 1 and less than the feature's %d", dim, s.Dim)
	}
	return nil
}

// lengths returns the length of what is left of each row.
func (s subspace) lengths(h Matrix) []float64 {
	var rest mat.Dense
	rest.Mul(h.double(s.origin), s.residual)
	lengths := make([]float64, h.Rows())
	for i := range lengths {
		row := rest.RawRowView(i)
		lengths[i] = blas64.Nrm2(blas64.Vector{N: len(row), Data: row, Inc: 1})
	}
	return lengths
}

// length emits the length of what is left of the images' features, [N,1].
func (s subspace) length(p *Part) string {
	rows, columns := s.residual.Dims()
	residual := p.doubles("residual", s.residual.RawMatrix().Data, rows, columns)
	return p.length(p.product(p.sub(p.Feature(), p.doubles("origin", s.origin, rows)), residual))
}

// blindSpot is the shortest u with Wu + b = 0, or nearest to it.
func blindSpot(l linear) ([]float64, error) {
	var svd mat.SVD
	w := l.weight.double(make([]float64, l.weight.Cols))
	if !svd.Factorize(w, mat.SVDThin) {
		return nil, ascood.Errorf(ascood.Invalid, "the last layer's weight has no singular values: is it finite?")
	}
	const condition = 1e-15
	rank := svd.Rank(condition)
	if rank == 0 {
		return make([]float64, l.weight.Cols), nil
	}
	var u mat.Dense
	svd.SolveTo(&u, mat.NewDense(len(l.bias), 1, doubles(l.bias)), rank)
	u.Scale(-1, &u)
	return u.RawMatrix().Data, nil
}
