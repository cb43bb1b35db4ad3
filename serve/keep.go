package serve

import (
	"fmt"
	"time"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/serve/keep"
	"github.com/ascood/ascood/serve/scoring"
)

// KeptVerdict is what is kept beside an image.
type KeptVerdict struct {
	Time     time.Time      `json:"time"`
	Model    string         `json:"model"`
	Settings artifact.Score `json:"settings"`
	SHA256   string         `json:"weights_sha256"`
	*Decision
}

// keep keeps an image that people should look at.
func (s *Server) keep(v *scoring.Version, file []byte, r *scoring.Result) {
	strange := r.Verdict == artifact.OutOfDistribution
	if s.config.KeepPValue > 0 {
		strange = r.PValue <= s.config.KeepPValue
	}
	if !strange {
		return
	}
	outcome := "left_out"
	verdict := KeptVerdict{time.Now().UTC(), v.Name(), v.Settings(), v.Info().Source.SHA256, decision(r)}
	if s.config.Keep.Keep(keep.Image{Model: v.Name(), Class: r.Class, File: file, Verdict: verdict}) {
		outcome = "kept"
	}
	s.metrics.kept.WithLabelValues(outcome).Inc()
}

// keeps says which images are kept, for those who send them; "" for none.
func (s *Server) keeps() string {
	switch {
	case s.config.Keep == nil:
		return ""
	case s.config.KeepPValue > 0:
		return fmt.Sprintf("those with a p-value up to %v", s.config.KeepPValue)
	}
	return "those out of distribution"
}
