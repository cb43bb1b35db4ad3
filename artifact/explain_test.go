package artifact

import "testing"

func TestExplains(t *testing.T) {
	steps, own := Score{Name: ScoreIODIN, Temperature: 1000}, Score{Name: "knn", Settings: `{"k":5}`}
	mls := Score{Name: ScoreMLS}
	for _, c := range []struct {
		file, used Score
		outputs    []string
		output     string
		of         Explained
	}{
		{steps, steps, []string{Logits, Gradient}, Gradient, ExplainsScore},
		{own, own, []string{Gradient, ScoreGradient}, ScoreGradient, ExplainsScore},
		{own, own, []string{ScoreGradient}, ScoreGradient, ExplainsScore},
		{own, own, []string{Gradient}, Gradient, ExplainsPrediction},
		{own, steps, []string{Gradient, ScoreGradient}, Gradient, ExplainsScore},
		{own, mls, []string{Gradient, ScoreGradient}, Gradient, ExplainsPrediction}, // of another score than it is asked for
		{mls, mls, []string{Gradient, ScoreGradient}, ScoreGradient, ExplainsScore},
		{steps, steps, []string{Logits}, "", ""},
	} {
		d := Metadata{Score: c.file}
		if output, of := d.Explains(c.used, c.outputs); output != c.output || of != c.of {
			t.Errorf("a file of %v, asked for %v, with %v: %q of the %q, want %q of the %q", c.file, c.used, c.outputs, output, of, c.output, c.of)
		}
	}
}
