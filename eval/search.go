package eval

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/posthoc"
)

// Trial is one of the settings that a search has tried.
type Trial struct {
	Settings json.RawMessage `json:"settings"`
	AUROC    float64         `json:"auroc"`           // on the validation images; 0 if there is an Error
	Error    string          `json:"error,omitempty"` // why the settings cannot be for this network or data
}

// sweep is the search for a method's settings: it tries those that its authors did.
type sweep struct {
	Choice
	inputs string // as of work
	trials []Trial
	fitted []candidate
	best   Entry // when the search is over
}

// candidate is the method with the settings of a trial that can be.
type candidate struct {
	Entry
	trial int // its index
}

// newSweep fits a method that has a sweep with each of its settings. Those that
// cannot be, such as more neighbours than there are training images, are passed
// over; if none can, the first's error is returned.
func (e *Evaluation) newSweep(c Choice, d *posthoc.Data) (*sweep, error) {
	s := &sweep{Choice: c}
	if e.Store != nil {
		var err error
		if s.inputs, err = e.inputs(c); err != nil {
			return nil, err
		}
	}
	for _, m := range posthoc.Sweep(c.Name) {
		settings, err := posthoc.Settings(m)
		if err != nil {
			return nil, err
		}
		t := Trial{Settings: json.RawMessage(settings)}
		switch err := posthoc.Fit(e.precise(m), d); {
		case err == nil:
			s.fitted = append(s.fitted, candidate{Entry{c.Name, m}, len(s.trials)})
		case ascood.CodeOf(err) == ascood.Invalid:
			t.Error = err.Error()
		default: // not the settings' fault
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		s.trials = append(s.trials, t)
	}
	if len(s.fitted) == 0 {
		return nil, noSettings(c.Name, s.trials[0].Error)
	}
	return s, nil
}

// noSettings says that none of a method's published settings can be, and why the
// first cannot.
func noSettings(name, why string) error {
	return ascood.Errorf(ascood.Invalid, "none of the published settings of %s can be (%s): choose its settings with %s %s.NAME=VALUE", name, why, ascood.Field("set"), name)
}

// choose finds the candidate of the best AUROC, the first of equal ones, given each
// one's scores of the validation images.
func (s *sweep) choose(id, ood [][]float64) error {
	highest := 0.0
	for k, c := range s.fitted {
		m, err := metrics.Compute(id[k], ood[k], 0)
		if err != nil {
			return fmt.Errorf("search for settings of %s: %w", s.Name, err)
		}
		s.trials[c.trial].AUROC = m.AUROC
		if s.best.Method == nil || m.AUROC > highest {
			s.best, highest = c.Entry, m.AUROC
		}
	}
	return nil
}

func chooseAll(sweeps []*sweep, id, ood [][][]float64) error {
	for i, s := range sweeps {
		if err := s.choose(id[i], ood[i]); err != nil {
			return err
		}
	}
	return nil
}

// scoreSweeps scores images by all candidates at once, and returns the scores of
// each sweep's.
func scoreSweeps(sweeps []*sweep, score func([]Entry) ([]Scores, error)) ([][][]float64, error) {
	var methods []Entry
	for _, s := range sweeps {
		for _, c := range s.fitted {
			methods = append(methods, c.Entry)
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

// searchFeatures ends the search of methods that take only logits and features, of
// which from has the validation images'.
func (e *Evaluation) searchFeatures(sweeps []*sweep, from *material) error {
	if len(sweeps) == 0 {
		return nil
	}
	opt, finish := e.announce("search", from.validID.Len()+from.validOOD.Len())
	defer finish()
	score := func(features *posthoc.Set, s Set) ([][][]float64, error) {
		scores, err := scoreSweeps(sweeps, func(methods []Entry) ([]Scores, error) {
			return ScoreSet(features, s.Images, methods, opt)
		})
		if err != nil {
			return nil, fmt.Errorf("search for settings: %w", err)
		}
		return scores, nil
	}
	id, err := score(from.validID, e.ValidID)
	if err != nil {
		return err
	}
	ood, err := score(from.validOOD, e.ValidOOD)
	if err != nil {
		return err
	}
	return chooseAll(sweeps, id, ood)
}

// searchImages ends the search of methods that need more of the graph: it goes
// through the validation images once for all of them.
func (e *Evaluation) searchImages(ctx context.Context, sweeps []*sweep) error {
	if len(sweeps) == 0 {
		return nil
	}
	id, err := e.scoreTrials(ctx, validIDName, e.ValidID, sweeps)
	if err != nil {
		return err
	}
	ood, err := e.scoreTrials(ctx, validOODName, e.ValidOOD, sweeps)
	if err != nil {
		return err
	}
	return chooseAll(sweeps, id, ood)
}

// scoreTrials scores a validation set by the candidates of sweeps, those apart
// whose scores the store has from an interrupted search.
func (e *Evaluation) scoreTrials(ctx context.Context, name string, s Set, sweeps []*sweep) ([][][]float64, error) {
	all := make([][][]float64, len(sweeps))
	defer func() {
		if all[0] != nil {
			e.learn(name, len(all[0][0]), s.Images.Len())
		}
	}()
	var missing []*sweep
	var at []int // indices of missing
	for i, w := range sweeps {
		if e.Store != nil {
			var err error
			if all[i], err = e.Store.loadTrials(w.Name, name, w.inputs); err != nil {
				return nil, err
			}
			if all[i] != nil && !e.usable(len(all[i][0]), s.Images.Len()) {
				all[i] = nil
			}
		}
		if all[i] == nil {
			missing, at = append(missing, w), append(at, i)
		}
	}
	if len(missing) == 0 {
		return all, nil
	}
	opt, finish := e.scan("search on "+name, s.Images)
	defer finish()
	scores, err := scoreSweeps(missing, func(methods []Entry) ([]Scores, error) { return e.Network.Score(ctx, s.Images, methods, opt) })
	if err != nil {
		return nil, fmt.Errorf("search for settings on %s: %w", name, err)
	}
	for k, i := range at {
		all[i] = scores[k]
		if e.Store == nil {
			continue
		}
		if err := e.Store.saveTrials(sweeps[i].Name, name, sweeps[i].inputs, all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}
