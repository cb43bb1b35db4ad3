package artifact

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// ScoreName is the name of a score that tells ID from OOD; higher is more in-distribution.
type ScoreName string

// Scores that every artifact has. Any other is one that an artifact brings along, as its
// output OwnScore.
const (
	ScoreIODIN     ScoreName = "iodin"
	ScoreIODINFast ScoreName = "iodin_fast" // log iodin to first order, without a second forward pass
	ScoreODIN      ScoreName = "odin"
	ScoreMSP       ScoreName = "msp" // max softmax(logits/T); T is 1 unless asked otherwise
	ScoreMLS       ScoreName = "mls" // max logits
	ScoreEBO       ScoreName = "ebo" // log Σ exp(logits)
)

// ScoreNames lists the scores that every artifact has.
func ScoreNames() []ScoreName {
	return []ScoreName{ScoreIODIN, ScoreIODINFast, ScoreODIN, ScoreMSP, ScoreMLS, ScoreEBO}
}

// KnownScores lists them as one writes a list.
func KnownScores() string {
	var names []string
	for _, m := range ScoreNames() {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

// Score is a method with its settings: Temperature and Noise of iodin, iodin_fast and odin,
// Temperature of msp, none of mls and ebo. Of a score that is in the artifact alone they
// are part of its graph, and Settings says what they are.
type Score struct {
	Name        ScoreName
	Temperature float64
	Noise       float64
	Settings    string // a JSON object; "" for the scores of ScoreNames
}

// scoreJSON is the form of scores that have a temperature.
type scoreJSON struct {
	Name        ScoreName `json:"method"`
	Temperature float64   `json:"temperature"`
	Noise       float64   `json:"noise"`
}

// ownScoreJSON is the form of other scores.
type ownScoreJSON struct {
	Name     ScoreName       `json:"method"`
	Settings json.RawMessage `json:"settings,omitempty"`
}

// MarshalJSON returns the method with its temperature and noise, or with its settings.
func (s Score) MarshalJSON() ([]byte, error) {
	if s.Settings == "" && s.Name.perturbs() {
		return json.Marshal(scoreJSON{s.Name, s.Temperature, s.Noise})
	}
	return json.Marshal(ownScoreJSON{s.Name, json.RawMessage(s.Settings)})
}

// UnmarshalJSON is the inverse.
func (s *Score) UnmarshalJSON(text []byte) error {
	var all struct {
		scoreJSON
		Settings json.RawMessage `json:"settings"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*s = Score{all.Name, all.Temperature, all.Noise, string(all.Settings)}
	return nil
}

// perturbs reports whether a score has a temperature.
func (n ScoreName) perturbs() bool { return n.Steps() || n == ScoreMSP }

// Steps reports whether a score moves the image along its gradient.
func (n ScoreName) Steps() bool { return n == ScoreIODIN || n == ScoreIODINFast || n == ScoreODIN }

// Published settings of odin and iodin, which are iodin_fast's, too.
const (
	publishedTemperature = 1000
	publishedNoise       = 0.0014
)

// DefaultScore returns a method's published settings.
func DefaultScore(m ScoreName) (Score, error) {
	switch m {
	case ScoreIODIN, ScoreIODINFast, ScoreODIN:
		return Score{Name: m, Temperature: publishedTemperature, Noise: publishedNoise}, nil
	case ScoreMSP:
		return Score{Name: m, Temperature: 1}, nil
	case ScoreMLS, ScoreEBO:
		return Score{Name: m}, nil
	}
	return Score{}, ascood.Errorf(ascood.Invalid, "unknown score %q; known are %s", m, KnownScores())
}

// Perturbation returns the temperature and noise that an artifact's gradient, odin and
// iodin are computed with: the published ones where the score has none.
func (s Score) Perturbation() (temperature, noise float64) {
	if s.Temperature == 0 {
		return publishedTemperature, publishedNoise
	}
	return s.Temperature, s.Noise
}

// Output returns the graph's output that is the score, "" if it is computed from the
// logits at a temperature of choice.
func (s Score) Output() string {
	switch {
	case s.Settings != "":
		return OwnScore
	case s.Name == ScoreMSP:
		return ""
	}
	return map[ScoreName]string{ScoreIODIN: IODIN, ScoreIODINFast: IODINFast, ScoreODIN: ODIN, ScoreMLS: MLS, ScoreEBO: EBO}[s.Name]
}

// Needed returns the outputs that a graph must have for a score.
func (s Score) Needed() []string {
	needed := []string{Logits, Prediction}
	if output := s.Output(); output != "" {
		needed = append(needed, output)
	}
	return needed
}

// String describes the score, as in "iodin (temperature 1000, noise 0.0014)".
func (s Score) String() string {
	switch {
	case s.Settings == "" && s.Name == ScoreMSP:
		return fmt.Sprintf("%s (temperature %v)", s.Name, s.Temperature)
	case s.Settings == "" && s.Name.perturbs():
		return fmt.Sprintf("%s (temperature %v, noise %v)", s.Name, s.Temperature, s.Noise)
	case s.Settings == "" || s.Settings == "{}":
		return string(s.Name)
	}
	return fmt.Sprintf("%s (%s)", s.Name, strings.NewReplacer(`{`, ``, `}`, ``, `"`, ``, `:`, ` `, `,`, `, `).Replace(s.Settings))
}

// Validate reports settings that no score can have.
func (s Score) Validate() error {
	if s.Settings != "" {
		var settings map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s.Settings), &settings); err != nil || s.Name == "" {
			return ascood.Errorf(ascood.Invalid, "the score %q with the settings %s: want a name, and a JSON object", s.Name, s.Settings)
		}
		return nil
	}
	if !slices.Contains(ScoreNames(), s.Name) {
		_, err := DefaultScore(s.Name)
		return err
	}
	if !s.Name.perturbs() {
		return nil
	}
	if !(s.Temperature > 0 && s.Temperature <= math.MaxFloat32) {
		return ascood.Errorf(ascood.Invalid, "temperature %v: must be a number greater than 0", s.Temperature)
	}
	if !(s.Noise >= 0 && s.Noise <= math.MaxFloat32) {
		return ascood.Errorf(ascood.Invalid, "noise %v: must be a number that is not negative", s.Noise)
	}
	return nil
}
