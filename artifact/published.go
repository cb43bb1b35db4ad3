package artifact

import (
	"encoding/json"

	"github.com/ascood/ascood"
)

// Published is what the training of a checkpoint says about the score to use.
type Published struct {
	Method string `json:"method"` // of training
	Score  Score  `json:"score"`  // that it is published with; the zero Score if it is with none in particular
}

// PublishedScore reads what a checkpoint or an artifact says of its training
// (Source), of another program or of ours.
func PublishedScore(training json.RawMessage) (Published, error) {
	var p Published
	if len(training) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(training, &p); err != nil {
		return p, ascood.Errorf(ascood.Invalid, "the checkpoint does not say how it was trained: %w", err)
	}
	return p, nil
}
