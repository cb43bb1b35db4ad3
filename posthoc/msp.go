package posthoc

// MSP is the maximum softmax probability, max p (Hendrycks and Gimpel, "A
// Baseline for Detecting Misclassified and Out-of-Distribution Examples", 2017).
type MSP struct {
	logitsOnly
	precision
}

func init() { register("msp", func() Method { return &MSP{} }, nil) }

func (m *MSP) Emit(p *Part) string { return m.round(p, p.largest(m.softmax(p, 1))) }
