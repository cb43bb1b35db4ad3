package posthoc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/settings"
	"github.com/ascood/ascood/onnx"
)

// Rule is how p-values are combined.
type Rule string

const (
	Fisher  Rule = "fisher"  // Σ log p: strange by several scores counts more than by one
	Minimum Rule = "minimum" // m·min p of m scores, Bonferroni's correction: strange by one score is enough
)

// Rules lists the known ones.
func Rules() []Rule { return []Rule{Fisher, Minimum} }

// Combined is a score made of several. Each is placed among those of in-distribution
// validation images: its p-value is the share of them that are at least as strange, the
// image itself counted in. The rule makes one number of these. They depend on each other,
// so that it is no p-value itself, but a calibration makes one of it that is valid however
// they depend, if the images that it is made on are others than the validation images.
type Combined struct {
	Rule   Rule
	Names  []string // of the methods
	Parts  []Method
	places [][]float64 // of each: scores of validation images, rising
}

// plus is between the names of methods in that of their combination.
const plus = "+"

// NewCombined returns methods with their published settings, combined. New makes one of
// their names with "+" between them, by Fisher's rule.
func NewCombined(names []string, rule Rule) (*Combined, error) {
	c := &Combined{Names: names}
	if err := c.By(rule); err != nil {
		return nil, err
	}
	for i, name := range names {
		m, err := single(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names[:i], name) {
			return nil, ascood.Errorf(ascood.Invalid, "%s is combined with itself", name)
		}
		c.Parts = append(c.Parts, m)
	}
	return c, nil
}

// By sets the rule.
func (c *Combined) By(r Rule) error {
	if !slices.Contains(Rules(), r) {
		return ascood.Errorf(ascood.Invalid, "unknown rule %q; known are %s and %s", r, Fisher, Minimum)
	}
	c.Rule = r
	return nil
}

// Needs is what the parts need, and validation images.
func (c *Combined) Needs() Needs {
	all := Needs{ValidID: true}
	for _, m := range c.Parts {
		n := m.Needs()
		all.Train, all.Linear = all.Train || n.Train, all.Linear || n.Linear
		all.Graph = append(all.Graph, n.Graph...)
		if n.Temperature > 0 {
			all.Temperature, all.Noise = n.Temperature, n.Noise
		}
	}
	return all
}

func (c *Combined) check(s Sizes) error {
	var steps []perturbation
	for i, m := range c.Parts {
		if err := Check(m, s); err != nil {
			return fmt.Errorf("%s: %w", c.Names[i], err)
		}
		if n := m.Needs(); n.Temperature > 0 {
			steps = append(steps, perturbation{n.Temperature, n.Noise})
		}
	}
	if len(slices.Compact(steps)) > 1 {
		return ascood.Errorf(ascood.Invalid, "%s: an artifact has one temperature and noise for all of them", strings.Join(c.Names, plus))
	}
	return nil
}

// Fit fits the parts. Place is to follow.
func (c *Combined) Fit(d *Data) error {
	for i, m := range c.Parts {
		if err := Fit(m, d); err != nil {
			return fmt.Errorf("%s: %w", c.Names[i], err)
		}
	}
	return nil
}

// mostPlaces bounds the size in an artifact.
const mostPlaces = 10_000

// Place takes the scores of the validation images by each part.
func (c *Combined) Place(scores [][]float64) {
	c.places = nil
	for _, s := range scores {
		c.places = append(c.places, thinned(slices.Sorted(slices.Values(s)), mostPlaces))
	}
}

// thinned leaves so many of sorted numbers at most, evenly spread, the ends among them.
func thinned(sorted []float64, most int) []float64 {
	n := len(sorted)
	if n <= most {
		return sorted
	}
	for i := range most {
		sorted[i] = sorted[i*(n-1)/(most-1)]
	}
	return sorted[:most]
}

// Emit emits the parts, their p-values and what the rule makes of them.
func (c *Combined) Emit(p *Part) string {
	var scores []string
	for _, m := range c.Parts {
		scores = append(scores, m.Emit(p))
	}
	return c.combine(p, scores)
}

// combine emits what the rule makes of the parts' scores.
func (c *Combined) combine(p *Part, scores []string) string {
	var all string
	for i, score := range scores {
		v := p.pValue(score, c.places[i])
		if c.Rule == Fisher {
			v = p.log(v)
		}
		switch {
		case i == 0:
			all = v
		case c.Rule == Fisher:
			all = p.add(all, v)
		default:
			all = p.atMost(all, v)
		}
	}
	if c.Rule == Minimum {
		all = p.scaled(all, float64(len(c.Parts)))
	}
	return all
}

// Combine returns the combined scores of images, given each part's: Emit's graph without
// that of the parts.
func (c *Combined) Combine(scores [][]float64) ([]float64, error) {
	b := onnx.NewBuilder("combination")
	p := &Part{Builder: b, shared: map[any]string{}}
	var inputs []string
	for i := range scores {
		inputs = append(inputs, b.Input(fmt.Sprintf("score/%d", i), "", onnx.TensorProto_DOUBLE, onnx.Batch))
	}
	out := c.combine(p, inputs)
	b.Output(out, "", onnx.TensorProto_DOUBLE, onnx.Batch)
	graph, err := b.Model("ascood", "1")
	if err != nil {
		return nil, err
	}
	session, err := ort.Open(graph, ort.Options{Threads: 1})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	var all []float64
	for from := 0; from < len(scores[0]); from += together {
		to := min(from+together, len(scores[0]))
		values := map[string]ort.Value{}
		for i, name := range inputs {
			values[name] = ort.Value{Shape: []int{to - from}, Data: scores[i][from:to]}
		}
		result, err := session.Run(values)
		if err != nil {
			return nil, err
		}
		all = append(all, result[out].Doubles()...)
	}
	return all, nil
}

// pValue is the share of the places that are no higher than a score [N], itself counted
// in.
func (p *Part) pValue(score string, places []float64) string {
	n := float64(len(places))
	column := p.Op("Reshape", []string{score, p.Int64s(-1, 1)})
	higher := p.total(p.double(p.greater(p.doubles("places", places, 1, len(places)), column)))
	return p.scaled(p.sub(p.number(n+1), higher), 1/(n+1))
}

// MarshalJSON returns the rule, and the settings of each part.
func (c *Combined) MarshalJSON() ([]byte, error) {
	all := map[string]any{"rule": c.Rule}
	for i, m := range c.Parts {
		all[c.Names[i]] = m
	}
	return json.Marshal(all)
}

// UnmarshalJSON takes what MarshalJSON returns, or some of it.
func (c *Combined) UnmarshalJSON(text []byte) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(text, &given); err != nil {
		return err
	}
	if text, ok := given["rule"]; ok {
		var rule Rule
		if err := json.Unmarshal(text, &rule); err != nil {
			return err
		}
		if err := c.By(rule); err != nil {
			return err
		}
	}
	for i, m := range c.Parts {
		if object, ok := given[c.Names[i]]; ok {
			if err := settings.Set(m, string(object)); err != nil {
				return err
			}
		}
	}
	return nil
}

// compared is the bank of all parts that compare with one: the training images.
func (c *Combined) compared() Bank {
	for _, m := range c.Parts {
		if m, ok := m.(comparer); ok {
			return m.compared()
		}
	}
	return nil
}

func (c *Combined) notes() []string {
	var all []string
	for _, m := range c.Parts {
		all = append(all, Notes(m)...)
	}
	return all
}
