package modelflags

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/cli"
)

// Score is the choice of a score and its settings.
type Score struct {
	fs                 *pflag.FlagSet
	method             string
	temperature, noise float64
}

// AddScore defines --score, --temperature and --noise.
func AddScore(fs *pflag.FlagSet, otherwise string) *Score {
	return AddScoreOf(fs, fmt.Sprintf("score `method`: %s (default: %s)", artifact.KnownScores(), otherwise))
}

// AddScoreOf is AddScore with a --score that stands for more, as usage says.
func AddScoreOf(fs *pflag.FlagSet, usage string) *Score {
	s := &Score{fs: fs}
	fs.StringVar(&s.method, "score", "", usage)
	fs.Float64Var(&s.temperature, "temperature", 0, "divides the logits, greater than 0 (default: the method's own, or the artifact's)")
	fs.Float64Var(&s.noise, "noise", 0, "size of the step against the gradient, not negative (default: likewise)")
	return s
}

// Name returns the method that the flag names, "" if it was not given.
func (s *Score) Name() string { return s.method }

// Apply returns own with what the flags change: a method other than own's brings
// its published settings along.
func (s *Score) Apply(own artifact.Score) (artifact.Score, error) {
	score := own
	if m := artifact.ScoreName(s.method); s.fs.Changed("score") && m != own.Name {
		var err error
		if score, err = artifact.DefaultScore(m); err != nil {
			return score, cli.Usagef("--score: %w", err)
		}
	}
	if s.fs.Changed("temperature") {
		if score.Temperature == 0 {
			return score, cli.Usagef("--temperature has no meaning for the score %s", score)
		}
		score.Temperature = s.temperature
	}
	if s.fs.Changed("noise") {
		if !score.Name.Steps() {
			return score, cli.Usagef("--noise has no meaning for the score %s, which takes no gradient step", score.Name)
		}
		score.Noise = s.noise
	}
	if err := score.Validate(); err != nil {
		return score, cli.Usagef("%w", err)
	}
	return score, nil
}
