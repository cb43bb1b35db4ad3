package artifact

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

// Decide places a score among those of in-distribution images.
func (c *Calibration) Decide(score float64) Decision {
	d := Decision{Verdict: OutOfDistribution, Threshold: c.Threshold, PValue: c.PValue(score)}
	if score >= c.Threshold {
		d.Verdict = InDistribution
	}
	return d
}

// CalibrationOf returns the calibration that a model's scores are decided by. It is
// ascood.Unavailable if there is none, or if it was made with other settings than
// those in use.
func (d *Metadata) CalibrationOf(score Score) (*Calibration, error) {
	switch c := d.Calibration; {
	case c == nil:
		return nil, ascood.Errorf(ascood.Unavailable, "model %s was exported without a calibration: it has scores but no verdicts", d.Name)
	case c.Score != score:
		return nil, ascood.Errorf(ascood.Unavailable, "model %s is calibrated for %s, not for %s", d.Name, c.Score, score)
	default:
		return c, nil
	}
}
