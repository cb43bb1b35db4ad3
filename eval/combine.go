package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/posthoc"
)

// scored scores by methods of which some are combinations: score is asked for their parts,
// each once, wherever it stands, so that every part is computed as it is alone.
func scored(methods []Entry, score func(parts []Entry) ([]Scores, error)) ([]Scores, error) {
	parts, at := apart(methods)
	scores, failed := score(parts)
	if scores == nil {
		return nil, failed
	}
	all := make([]Scores, len(methods))
	for i, m := range methods {
		c, ok := m.Method.(*posthoc.Combined)
		if !ok {
			all[i] = scores[at[i][0]]
			continue
		}
		var err error
		if all[i], err = combine(c, scores, at[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return all, failed
}

// combine makes one score of those of a combination's parts; none if a part has failed.
func combine(c *posthoc.Combined, scores []Scores, at []int) (Scores, error) {
	one := scores[at[0]]
	var values [][]float64
	for _, k := range at {
		if scores[k].Values == nil {
			return Scores{Broken: one.Broken}, nil
		}
		values = append(values, scores[k].Values)
	}
	var err error
	one.Values, err = c.Combine(values)
	return one, err
}

// apart returns methods with the parts of combinations in their place, each once, and the
// indices there of what each of the methods is made of.
func apart(methods []Entry) (parts []Entry, at [][]int) {
	at = make([][]int, len(methods))
	for i, m := range methods {
		of := []Entry{m}
		if c, ok := m.Method.(*posthoc.Combined); ok {
			of = nil
			for k, part := range c.Parts {
				of = append(of, Entry{c.Names[k], part})
			}
		}
		for _, part := range of {
			k := slices.Index(parts, part)
			if k < 0 {
				k, parts = len(parts), append(parts, part)
			}
			at[i] = append(at[i], k)
		}
	}
	return parts, at
}

// ready fits methods, and shows combinations how their parts score the validation images.
func (e *Evaluation) ready(ctx context.Context, methods []Entry, from *material) error {
	var combined []*posthoc.Combined
	for _, m := range methods {
		if err := posthoc.Fit(e.precise(m.Method), from.Data); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if c, ok := m.Method.(*posthoc.Combined); ok {
			combined = append(combined, c)
		}
	}
	return e.place(ctx, combined, from)
}

// place shows combinations, whose parts are fitted, how these score the validation images:
// in a pass over the images those that take more of the network than logits and features.
func (e *Evaluation) place(ctx context.Context, combined []*posthoc.Combined, from *material) error {
	var methods []Entry
	for _, c := range combined {
		methods = append(methods, Entry{"", c})
	}
	parts, at := apart(methods)
	var onFeatures, onImages []int
	for i, m := range parts {
		if len(m.Needs().Graph) == 0 {
			onFeatures = append(onFeatures, i)
		} else {
			onImages = append(onImages, i)
		}
	}
	values := make([][]float64, len(parts))
	score := func(which []int, by func(methods []Entry, opt ScanOptions) ([]Scores, error)) error {
		if len(which) == 0 {
			return nil
		}
		var some []Entry
		for _, i := range which {
			some = append(some, parts[i])
		}
		opt, finish := e.scan("combine on "+validIDName, e.ValidID.Images)
		defer finish()
		scores, err := by(some, opt)
		if err != nil {
			return err
		}
		for k, i := range which {
			values[i] = scores[k].Values
		}
		return nil
	}
	err := score(onFeatures, func(methods []Entry, opt ScanOptions) ([]Scores, error) {
		return ScoreSet(from.validID, e.ValidID.Images, methods, opt)
	})
	if err == nil {
		err = score(onImages, func(methods []Entry, opt ScanOptions) ([]Scores, error) {
			return e.Network.Score(ctx, e.ValidID.Images, methods, opt)
		})
	}
	if err != nil {
		return err
	}
	for i, c := range combined {
		var places [][]float64
		for _, k := range at[i] {
			places = append(places, values[k])
		}
		c.Place(places)
	}
	return nil
}

// assemble gives a combination's parts the settings that their searches have found, and
// returns what these have tried.
func assemble(w work, found map[string]*sweep) ([]Trial, error) {
	c := w.Entry.Method.(*posthoc.Combined)
	var all []Trial
	for _, s := range w.searches() {
		c.Parts[slices.Index(c.Names, s.Name)] = found[s.Name].best.Method
		for _, t := range found[s.Name].trials {
			settings, err := json.Marshal(map[string]any{s.Name: t.Settings})
			if err != nil {
				return nil, err
			}
			all = append(all, Trial{settings, t.AUROC, t.Error})
		}
	}
	return all, nil
}

// checkSearches reports parts of a combination whose searches would each choose what an
// artifact has one of.
func checkSearches(c Choice) error {
	var stepping []string
	searched := false
	for _, part := range c.parts() {
		if part.Needs().Temperature > 0 {
			stepping, searched = append(stepping, part.Name), searched || part.Search
		}
	}
	if len(stepping) > 1 && searched {
		return ascood.Errorf(ascood.Invalid, "%s: an artifact has one temperature and noise for %s, which would be searched apart: choose with %s",
			c.Name, enumeration(stepping), ascood.Field("set"))
	}
	return nil
}
