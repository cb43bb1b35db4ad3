package posthoc

import "github.com/ascood/ascood/artifact"

// Confidence is how sure a network with a conf_branch head says that it is,
// sigmoid(confidence) (DeVries and Taylor, "Learning Confidence for Out-of-Distribution
// Detection in Neural Networks", 2018).
type Confidence struct{ logitsOnly }

func init() { register("confidence", func() Method { return &Confidence{} }, nil) }

// Needs is that output of the head.
func (*Confidence) Needs() Needs { return Needs{Graph: []string{artifact.Confidence}} }

// Emit emits the score.
func (*Confidence) Emit(p *Part) string {
	return p.score(p.Op("Sigmoid", []string{p.double(p.value(artifact.Confidence, 1))}))
}
