package eval

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// Validation is what hyperparameters are chosen on.
type Validation struct {
	ID, OOD       preprocess.Dataset
	IDSet, OODSet *posthoc.Set // what Collect makes of them
}

// Trial is one of the settings that a search has tried.
type Trial struct {
	Settings json.RawMessage `json:"settings"`
	AUROC    float64         `json:"auroc"`           // on the validation images; 0 if there is an Error
	Error    string          `json:"error,omitempty"` // why the settings cannot be for this network or data
}

// Search tries the published sweeps of methods, given by name, and returns each
// method fitted with the settings of the best AUROC, the first of equal ones,
// and what was tried. Settings that cannot be, such as more neighbours than there
// are training images, are passed over; if none can, the first's error is
// returned. Images are gone through only for methods that need more of the graph
// than logits and features, once for all of them.
func (n *Network) Search(ctx context.Context, names []string, d *posthoc.Data, v Validation, opt ScanOptions) ([]Method, [][]Trial, error) {
	trials := make([][]Trial, len(names))
	var fromSets, fromImages candidates
	for k, name := range names {
		fitted, err := fitSweep(name, d, &trials[k])
		if err != nil {
			return nil, nil, err
		}
		for _, c := range fitted {
			c.name = k
			if len(c.Needs().Graph) > 0 {
				fromImages = append(fromImages, c)
			} else {
				fromSets = append(fromSets, c)
			}
		}
	}
	if err := fromSets.try(trials, func(methods []Method) (id, ood []Scores, err error) {
		if id, err = ScoreSet(v.IDSet, v.ID, methods); err == nil {
			ood, err = ScoreSet(v.OODSet, v.OOD, methods)
		}
		return id, ood, err
	}); err != nil {
		return nil, nil, err
	}
	if err := fromImages.try(trials, func(methods []Method) (id, ood []Scores, err error) {
		if id, err = n.Score(ctx, v.ID, methods, opt); err == nil {
			ood, err = n.Score(ctx, v.OOD, methods, opt)
		}
		return id, ood, err
	}); err != nil {
		return nil, nil, err
	}
	return choose(trials, append(fromSets, fromImages...)), trials, nil
}

// fitSweep fits a method with each of the settings of its sweep that can be, and
// notes them all.
func fitSweep(name string, d *posthoc.Data, trials *[]Trial) (candidates, error) {
	var fitted candidates
	for _, m := range posthoc.Sweep(name) {
		settings, err := posthoc.Settings(m)
		if err != nil {
			return nil, err
		}
		t := Trial{Settings: json.RawMessage(settings)}
		switch err := posthoc.Fit(m, d); {
		case err == nil:
			fitted = append(fitted, candidate{Method: Method{name, m}, trial: len(*trials)})
		case ascood.CodeOf(err) == ascood.Invalid:
			t.Error = err.Error()
		default: // not the settings' fault
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		*trials = append(*trials, t)
	}
	switch {
	case len(*trials) == 0:
		return nil, ascood.Errorf(ascood.Invalid, "%s has no settings to search", name)
	case len(fitted) == 0:
		return nil, ascood.Errorf(ascood.Invalid, "none of the published settings of %s can be (%s): choose its settings with --set", name, (*trials)[0].Error)
	}
	return fitted, nil
}

// candidate is a fitted method with the trial that it is.
type candidate struct {
	Method
	name, trial int // indices
}

type candidates []candidate

// try scores the candidates and notes their AUROC.
func (c candidates) try(trials [][]Trial, score func([]Method) (id, ood []Scores, err error)) error {
	if len(c) == 0 {
		return nil
	}
	methods := make([]Method, len(c))
	for i := range c {
		methods[i] = c[i].Method
	}
	id, ood, err := score(methods)
	if err != nil {
		return fmt.Errorf("search for settings: %w", err)
	}
	for i, t := range c {
		m, err := Compute(id[i].Values, ood[i].Values, 0)
		if err != nil {
			return fmt.Errorf("search for settings of %s: %w", t.Name, err)
		}
		trials[t.name][t.trial].AUROC = m.AUROC
	}
	return nil
}

// choose returns for each name the candidate of the best trial, the first of
// equal ones.
func choose(trials [][]Trial, all candidates) []Method {
	best, auroc := make([]Method, len(trials)), make([]float64, len(trials))
	for _, c := range all { // in the order of their trials
		if v := trials[c.name][c.trial].AUROC; best[c.name].Method == nil || v > auroc[c.name] {
			best[c.name], auroc[c.name] = c.Method, v
		}
	}
	return best
}
