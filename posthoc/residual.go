package posthoc

// Residual is -‖N(h-u)‖, the length of what the principal subspace of the validation
// features about u = -W⁺b leaves of h: ViM's residual alone (Wang et al., "ViM:
// Out-Of-Distribution with Virtual-logit Matching", 2022), which OpenOOD learns from
// validation images.
type Residual struct {
	Dim  int `json:"dim"`
	rest subspace
}

func init() { register("residual", func() Method { return &Residual{Dim: 512} }, nil) }

func (*Residual) Needs() Needs { return Needs{Linear: true, ValidID: true} }

func (m *Residual) check(s Sizes) error { return checkSubspace(m.Dim, s) }

func (m *Residual) Fit(d *Data) (err error) {
	m.rest, err = fitSubspace(d.linear(), d.ValidID, m.Dim)
	return err
}

func (m *Residual) Emit(p *Part) string { return p.score(p.negated(m.rest.length(p))) }
