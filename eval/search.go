package eval

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval/posthoc"
)

// Trial is one of the settings that a search has tried.
type Trial struct {
	Settings json.RawMessage `json:"settings"`
	AUROC    float64         `json:"auroc"`           // on the validation images; 0 if there is an Error
	Error    string          `json:"error,omitempty"` // why the settings cannot be for this network or data
}

// sweep is the search for a method's settings: it tries those that its authors did.
type sweep struct {
	name   string
	trials []Trial
	fitted []candidate
}

// candidate is the method with the settings of a trial that can be.
type candidate struct {
	Method
	trial int // its index
}

// newSweep fits a method that has a sweep with each of its settings. Those that cannot be, such as
// more neighbours than there are training images, are passed over; if none can, the
// first's error is returned.
func newSweep(name string, d *posthoc.Data) (*sweep, error) {
	s := &sweep{name: name}
	for _, m := range posthoc.Sweep(name) {
		settings, err := posthoc.Settings(m)
		if err != nil {
			return nil, err
		}
		t := Trial{Settings: json.RawMessage(settings)}
		switch err := posthoc.Fit(m, d); {
		case err == nil:
			s.fitted = append(s.fitted, candidate{Method{name, m}, len(s.trials)})
		case ascood.CodeOf(err) == ascood.Invalid:
			t.Error = err.Error()
		default: // not the settings' fault
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		s.trials = append(s.trials, t)
	}
	if len(s.fitted) == 0 {
		return nil, noSettings(name, s.trials[0].Error)
	}
	return s, nil
}

// noSettings says that none of a method's published settings can be, and why the
// first cannot.
func noSettings(name, why string) error {
	return ascood.Errorf(ascood.Invalid, "none of the published settings of %s can be (%s): choose its settings with --set %s.NAME=VALUE", name, why, name)
}

// choose returns the candidate of the best AUROC, the first of equal ones, given
// each one's scores of the validation images.
func (s *sweep) choose(id, ood [][]float64) (Method, error) {
	var best Method
	highest := 0.0
	for k, c := range s.fitted {
		m, err := Compute(id[k], ood[k], 0)
		if err != nil {
			return best, fmt.Errorf("search for settings of %s: %w", s.name, err)
		}
		s.trials[c.trial].AUROC = m.AUROC
		if best.Method == nil || m.AUROC > highest {
			best, highest = c.Method, m.AUROC
		}
	}
	return best, nil
}

// scoreSweeps scores images by all candidates at once, and returns the scores of
// each sweep's.
func scoreSweeps(sweeps []*sweep, score func([]Method) ([]Scores, error)) ([][][]float64, error) {
	var methods []Method
	for _, s := range sweeps {
		for _, c := range s.fitted {
			methods = append(methods, c.Method)
		}
	}
	scores, err := score(methods)
	if err != nil {
		return nil, err
	}
	all := make([][][]float64, len(sweeps))
	for i, s := range sweeps {
		for range s.fitted {
			all[i] = append(all[i], scores[0].Values)
			scores = scores[1:]
		}
	}
	return all, nil
}

// searchFeatures finds the best settings of methods that take only logits and
// features, of which from has the validation images'.
func (e *Evaluation) searchFeatures(sweeps []*sweep, from *material) ([]Method, error) {
	opt, finish := e.scan("search", from.validID.Len()+from.validOOD.Len())
	defer finish()
	var scores [2][][][]float64 // of ID and of OOD images
	for k, set := range []struct {
		features *posthoc.Set
		Set
	}{{from.validID, e.ValidID}, {from.validOOD, e.ValidOOD}} {
		var err error
		scores[k], err = scoreSweeps(sweeps, func(methods []Method) ([]Scores, error) {
			return ScoreSet(set.features, set.Images, methods, opt)
		})
		if err != nil {
			return nil, fmt.Errorf("search for settings: %w", err)
		}
	}
	return chooseAll(sweeps, scores[0], scores[1])
}

// searchImages finds the best settings of methods that need more of the graph: it
// goes through the validation images once for all of them. inputs are the digests
// of what each method's settings depend on.
func (e *Evaluation) searchImages(ctx context.Context, sweeps []*sweep, inputs []string) ([]Method, error) {
	var scores [2][][][]float64
	for k, set := range []struct {
		name string
		Set
	}{{validIDName, e.ValidID}, {validOODName, e.ValidOOD}} {
		var err error
		if scores[k], err = e.scoreTrials(ctx, set.name, set.Set, sweeps, inputs); err != nil {
			return nil, err
		}
	}
	return chooseAll(sweeps, scores[0], scores[1])
}

func chooseAll(sweeps []*sweep, id, ood [][][]float64) ([]Method, error) {
	best := make([]Method, len(sweeps))
	for i, s := range sweeps {
		var err error
		if best[i], err = s.choose(id[i], ood[i]); err != nil {
			return nil, err
		}
	}
	return best, nil
}

// scoreTrials scores a validation set by the candidates of sweeps, those apart
// whose scores the store has from an interrupted search.
func (e *Evaluation) scoreTrials(ctx context.Context, name string, s Set, sweeps []*sweep, inputs []string) ([][][]float64, error) {
	all := make([][][]float64, len(sweeps))
	var missing []*sweep
	var at []int // indices of missing
	for i, w := range sweeps {
		if e.Store != nil {
			var err error
			if all[i], err = e.Store.loadTrials(w.name, name, inputs[i]); err != nil {
				return nil, err
			}
		}
		if all[i] == nil {
			missing, at = append(missing, w), append(at, i)
		}
	}
	if len(missing) == 0 {
		return all, nil
	}
	opt, finish := e.scan("search on "+name, s.Images.Len())
	defer finish()
	scores, err := scoreSweeps(missing, func(methods []Method) ([]Scores, error) { return e.Network.Score(ctx, s.Images, methods, opt) })
	if err != nil {
		return nil, fmt.Errorf("search for settings on %s: %w", name, err)
	}
	for k, i := range at {
		all[i] = scores[k]
		if e.Store == nil {
			continue
		}
		if err := e.Store.saveTrials(sweeps[i].name, name, inputs[i], all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}
