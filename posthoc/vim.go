package posthoc

import (
	"slices"

	"github.com/ascood/ascood"
)

// VIM is E(Wh+b) - α·‖N(h-u)‖: the energy less a virtual logit, the length of
// what the principal subspace of the training features leaves of h. The origin
// is u = -W⁺b, the subspace that of the Dim largest eigenvectors of the
// covariance about u, and α the mean largest logit over the mean length (Wang et
// al., "ViM: Out-Of-Distribution with Virtual-logit Matching", 2022). In ASCOOD's
// code the search has no effect, and Dim is 256; in today's OpenOOD it has, as here.
type VIM struct {
	Dim    int `json:"dim"`
	linear linear
	rest   subspace
	alpha  float64
}

func init() {
	register("vim", func() Method { return &VIM{Dim: 256} },
		sweepOf([]int{256, 1000}, func(dim int) Method { return &VIM{Dim: dim} }))
}

func (*VIM) Needs() Needs { return Needs{Linear: true, Train: true} }

func (m *VIM) check(s Sizes) error { return checkSubspace(m.Dim, s) }

func (m *VIM) Fit(d *Data) (err error) {
	m.linear = d.linear()
	if m.rest, err = fitSubspace(m.linear, d.Train, m.Dim); err != nil {
		return err
	}
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
		for i, length := range m.rest.lengths(block.Feature) {
			lengths += length
			logits += slices.Max(m.linear.logits(doubles(block.Feature.Row(i))))
		}
	}
	if lengths == 0 {
		return ascood.Errorf(ascood.Invalid, "the training features lie in fewer than %d dimensions: dim %d leaves nothing of them", len(m.rest.origin), m.Dim)
	}
	m.alpha = logits / lengths
	return nil
}

func (m *VIM) Emit(p *Part) string {
	virtual := p.score(p.scaled(m.rest.length(p), m.alpha))
	return p.sub(p.energy(p.classLogits(m.linear, p.Feature())), virtual)
}
