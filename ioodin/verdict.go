package ioodin

import "github.com/ascood/ascood"

// Verdict says on which side of the threshold an image is.
type Verdict string

const (
	InDistribution    Verdict = "in_distribution"
	OutOfDistribution Verdict = "out_of_distribution"
)

// Decision is a verdict with its grounds.
type Decision struct {
	Verdict   Verdict
	Threshold float64 // the lowest score that counts as in-distribution
	PValue    float64 // share of in-distribution images at least this strange
}

// Calibrated returns nil if the model can decide: it carries a calibration, made
// with the score in use. Otherwise the error says which is missing.
func (m *Model) Calibrated() error {
	c := m.info.Calibration
	if c == nil {
		return ascood.Errorf(ascood.Unavailable, "model %s was exported without a calibration: it has scores but no verdicts", m.info.Name)
	}
	if c.Score != m.score {
		return ascood.Errorf(ascood.Unavailable, "model %s is calibrated for %s, not for %s", m.info.Name, c.Score, m.score)
	}
	return nil
}

// Decide places a score of this model among those of in-distribution images. It
// must be Calibrated.
func (m *Model) Decide(score float64) Decision {
	c := m.info.Calibration
	d := Decision{Verdict: OutOfDistribution, Threshold: c.Threshold, PValue: c.PValue(score)}
	if c.Keeps(score) {
		d.Verdict = InDistribution
	}
	return d
}
