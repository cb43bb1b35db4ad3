package posthoc

// MLS is the maximum logit, max z (Hendrycks et al., "Scaling Out-of-Distribution
// Detection for Real-World Settings", 2022).
type MLS struct{ logitsOnly }

func init() { register("mls", func() Method { return &MLS{} }, nil) }

func (*MLS) Emit(p *Part) string { return p.largest(p.Logits()) }
