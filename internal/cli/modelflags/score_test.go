package modelflags

import (
	"io"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/cli"
)

func TestScoreFlags(t *testing.T) {
	own := artifact.Score{Name: artifact.ScoreIODIN, Temperature: 10, Noise: 0.5}
	for line, want := range map[string]artifact.Score{
		"":                            own,
		"--score iodin":               own,
		"--noise 0":                   {Name: artifact.ScoreIODIN, Temperature: 10, Noise: 0},
		"--score odin":                {Name: artifact.ScoreODIN, Temperature: 1000, Noise: 0.0014},
		"--score msp --temperature 2": {Name: artifact.ScoreMSP, Temperature: 2},
	} {
		fs := cli.NewFlags("prog", "", io.Discard)
		s := AddScore(fs, "")
		if err := cli.Parse(fs, strings.Fields(line), false); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Apply(own); err != nil || got != want {
			t.Errorf("%q gives %+v, %v; want %+v", line, got, err, want)
		}
	}
}
