package posthoc

import (
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"github.com/ascood/ascood"
)

// VIM is E(Wh+b) - α·‖N(h-u)‖: the energy less a virtual logit, the length of
// what the principal subspace of the training features leaves of h. The origin
// is u = -W⁺b, the subspace that of the Dim largest eigenvectors of the
// covariance about u, and α the mean largest logit over the mean length (Wang et
// al., "ViM: Out-Of-Distribution with Virtual-logit Matching", 2022). In ASCOOD's
// code the search has no effect, and Dim is 256; in today's OpenOOD it has, as here.
type VIM struct {
	Dim      int `json:"dim"`
	linear   linear
	origin   []float64
	residual *mat.Dense // [D,D-Dim]
	alpha    float64
}

func init() {
	register("vim", func() Method { return &VIM{Dim: 256} },
		sweepOf([]int{256, 1000}, func(dim int) Method { return &VIM{Dim: dim} }))
}

func (*VIM) Needs() Needs { return Needs{Train: true} }

func (m *VIM) check(s Sizes) error {
	if m.Dim < 1 || m.Dim >= s.Dim {
		return ascood.Errorf(ascood.Invalid, "dim %d: must be at least 1 and less than the feature's %d", m.Dim, s.Dim)
	}
	return nil
}

func (m *VIM) Fit(d *Data) error {
	features := d.Weight.Cols
	m.linear = d.linear()
	var err error
	if m.origin, err = blindSpot(m.linear); err != nil {
		return err
	}
	covariance, err := scatter(d.Train, func(int) []float64 { return m.origin })
	if err != nil {
		return err
	}
	_, vectors, err := eigen(covariance)
	if err != nil {
		return err
	}
	m.residual = mat.DenseCopyOf(vectors.Slice(0, features, 0, features-m.Dim))
	return m.match(d.Train)
}

func (m *VIM) notes() []string {
	if m.Dim == 1000 {
		return []string{"ASCOOD's published tables are of dim 256 whatever the search finds: set vim.dim=256 to compare with them"}
	}
	return nil
}

// match sets α.
func (m *VIM) match(b Bank) error {
	lengths, logits := 0.0, 0.0
	for block, err := range b.Blocks() {
		if err != nil {
			return err
		}
		for i, length := range m.lengths(block.Feature) {
			lengths += length
			logits += slices.Max(m.linear.logits(doubles(block.Feature.Row(i))))
		}
	}
	if lengths == 0 {
		return ascood.Errorf(ascood.Invalid, "the training features lie in fewer than %d dimensions: dim %d leaves nothing of them", len(m.origin), m.Dim)
	}
	m.alpha = logits / lengths
	return nil
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

// lengths returns ‖N(h-u)‖ of each row.
func (m *VIM) lengths(h Matrix) []float64 {
	var rest mat.Dense
	rest.Mul(h.double(m.origin), m.residual)
	lengths := make([]float64, h.Rows())
	for i := range lengths {
		row := rest.RawRowView(i)
		lengths[i] = blas64.Nrm2(blas64.Vector{N: len(row), Data: row, Inc: 1})
	}
	return lengths
}

func (m *VIM) Emit(p *Part) string {
	h := p.Feature()
	residual := p.doubles("residual", m.residual.RawMatrix().Data, len(m.origin), len(m.origin)-m.Dim)
	rest := p.product(p.sub(h, p.doubles("origin", m.origin, len(m.origin))), residual)
	return p.sub(p.energy(p.classLogits(m.linear, h)), p.score(p.scaled(p.length(rest), m.alpha)))
}
