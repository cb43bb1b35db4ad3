package posthoc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
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

// NewCombined returns methods with their published settings, combined.
func NewCombined(names []string, rule Rule) (*Combined, error) {
	c := &Combined{Rule: rule, Names: names}
	if !slices.Contains(Rules(), rule) {
		return nil, ascood.Errorf(ascood.Invalid, "unknown rule %q; known are %s and %s", rule, Fisher, Minimum)
	}
	for i, name := range names {
		m, err := New(name)
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

// Needs is what the parts need, and validation images.
func (c *Combined) Needs() Needs {
	all := Needs{ValidID: true}
	for _, m := range c.Parts {
		n := m.Needs()
		all.Train = all.Train || n.Train
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
		return ascood.Errorf(ascood.Invalid, "%s: an artifact has one temperature and noise for all of them", strings.Join(c.Names, "+"))
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
	var all string
	for i, m := range c.Parts {
		v := p.pValue(m.Emit(p), c.places[i])
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
