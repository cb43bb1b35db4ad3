package eval

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval/features"
	"github.com/ascood/ascood/posthoc"
)

// Names of the sets that methods learn from, in files and to the user.
const (
	trainName    = "train"
	validIDName  = "val_id"
	validOODName = "val_ood"
)

// work is what is left to do of a choice.
type work struct {
	Choice
	at      int    // its index
	inputs  string // digest of what the settings and the fit depend on
	settled bool   // the settings are those of the store
	missing []bool // of each set, whether it is to be scored
}

// unscored reports whether the method has sets to score.
func (w work) unscored() bool { return slices.Contains(w.missing, true) }

// recall returns what the store has of each choice, and what is left to do.
func (e *Evaluation) recall() ([]Result, []work, error) {
	results, todo := make([]Result, len(e.Choices)), make([]work, len(e.Choices))
	for i, c := range e.Choices {
		results[i] = Result{Method: c.Name, Scores: make([]Scores, len(e.Sets()))}
		todo[i] = work{Choice: c, at: i, missing: slices.Repeat([]bool{true}, len(e.Sets()))}
		if e.Store == nil {
			continue
		}
		if err := e.recallChoice(&todo[i], &results[i]); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return results, todo, nil
}

// recallChoice takes from the store the settings of a choice, which need no
// search then, and its scores.
func (e *Evaluation) recallChoice(w *work, r *Result) error {
	var err error
	if w.inputs, err = e.inputs(w.Choice); err != nil {
		return err
	}
	found, ok, err := e.Store.loadSettings(w.Name, w.inputs)
	if err != nil {
		return err
	}
	if !ok || found.Gaps && !e.SkipBroken { // what is there is of other settings or another network
		return e.Store.discard(w.Name)
	}
	r.Settings, r.Notes, r.Trials = string(found.Settings), found.Notes, found.Trials
	w.settled, w.Search = true, false
	if !posthoc.IsShipped(w.Entry.Method) {
		if w.Entry.Method, err = posthoc.New(w.Name); err != nil {
			return err
		}
	}
	w.Entry.Method = e.precise(w.Entry.Method)
	if err := posthoc.Configure(w.Entry.Method, r.Settings); err != nil {
		return err
	}
	for k, s := range e.Sets() {
		scores, err := e.Store.loadScores(w.Name, s, w.inputs)
		if err != nil {
			return err
		}
		if scores == nil || len(scores.Broken) > 0 && !e.SkipBroken {
			if err := e.Store.discardSet(w.Name, s.Name); err != nil {
				return err
			}
			continue
		}
		r.Scores[k], w.missing[k] = *scores, false
	}
	return nil
}

// fit returns the methods that have sets to score, ready to, in the place of their
// choices, and notes their settings. done is to be called when they have scored.
func (e *Evaluation) fit(ctx context.Context, todo []work, results []Result) (methods []Entry, done func(), err error) {
	var needed []Choice
	for _, w := range todo {
		if w.unscored() {
			needed = append(needed, w.Choice)
		}
	}
	m, err := e.gather(ctx, needed)
	if err != nil {
		return nil, nil, err
	}
	if methods, err = e.settle(ctx, todo, m, results); err != nil {
		m.free()
		return nil, nil, err
	}
	return methods, m.free, nil
}

// settle finds the settings of the methods that have sets to score, and fits
// them. What it has found is noted at once: those searched on images come last,
// since they take longest, and after them combinations, whose parts they may be.
func (e *Evaluation) settle(ctx context.Context, todo []work, from *material, results []Result) ([]Entry, error) {
	methods := make([]Entry, len(todo))
	var fixed, combined []work
	found := map[string]*sweep{} // by method: a combination shares that of its part
	var onFeatures, onImages []*sweep
	for _, w := range todo {
		if !w.unscored() {
			continue
		}
		for _, c := range w.searches() {
			if found[c.Name] != nil {
				continue
			}
			s, err := e.newSweep(c, from.Data)
			if err != nil {
				return nil, err
			}
			if found[c.Name] = s; len(c.Needs().Graph) == 0 {
				onFeatures = append(onFeatures, s)
			} else {
				onImages = append(onImages, s)
			}
		}
		if _, ok := w.Entry.Method.(*posthoc.Combined); ok {
			combined = append(combined, w)
		} else if !w.Search {
			fixed = append(fixed, w)
		}
	}
	for _, w := range fixed {
		if err := e.ready(ctx, []Entry{w.Entry}, from); err != nil {
			return nil, err
		}
		methods[w.at] = w.Entry
		if err := e.note(w, w.Entry, nil, &results[w.at]); err != nil {
			return nil, err
		}
	}
	noteAll := func(sweeps []*sweep) error {
		for _, w := range todo {
			if s := found[w.Name]; w.unscored() && slices.Contains(sweeps, s) {
				methods[w.at] = s.best
				if err := e.note(w, s.best, s.trials, &results[w.at]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := e.searchFeatures(onFeatures, from); err != nil {
		return nil, err
	}
	if err := noteAll(onFeatures); err != nil {
		return nil, err
	}
	if err := e.searchImages(ctx, onImages); err != nil {
		return nil, err
	}
	if err := noteAll(onImages); err != nil {
		return nil, err
	}
	return methods, e.settleCombined(ctx, combined, found, from, methods, results)
}

// settleCombined is settle for combinations, when their parts' searches are over.
func (e *Evaluation) settleCombined(ctx context.Context, todo []work, found map[string]*sweep, from *material, methods []Entry, results []Result) error {
	var trials [][]Trial
	var all []Entry
	for _, w := range todo {
		t, err := assemble(w, found)
		if err != nil {
			return err
		}
		trials, all = append(trials, t), append(all, w.Entry)
	}
	if err := e.ready(ctx, all, from); err != nil {
		return err
	}
	for i, w := range todo {
		methods[w.at] = w.Entry
		if err := e.note(w, w.Entry, trials[i], &results[w.at]); err != nil {
			return err
		}
		if e.Store == nil {
			continue
		}
		for _, c := range w.searches() {
			if err := e.Store.discardTrials(c.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// note keeps the settings of a fitted method, unless they came from the store.
func (e *Evaluation) note(w work, m Entry, trials []Trial, r *Result) error {
	if w.settled {
		return nil
	}
	var err error
	if r.Settings, err = posthoc.Settings(m.Method); err != nil {
		return err
	}
	gaps := e.gaps(w.Choice)
	r.Notes, r.Trials = append(posthoc.Notes(m.Method), gaps...), trials
	if e.Store == nil {
		return nil
	}
	return e.Store.saveSettings(w.Name, w.inputs, *r, len(gaps) > 0)
}

// Learns reports which of Train, ValidID and ValidOOD the choices need.
func (e *Evaluation) Learns() (train, validID, validOOD bool) {
	for _, c := range e.Choices {
		needs := c.Needs()
		train = train || needs.Train
		validID = validID || needs.ValidID || c.Search
		validOOD = validOOD || c.Search
	}
	return train, validID, validOOD
}

// material is what methods learn from and settings are searched on.
type material struct {
	*posthoc.Data
	bank              *features.File   // behind Data.Train; nil if no method needs it
	observed          []*features.File // behind Data.Observed
	validID, validOOD *posthoc.Set     // likewise
}

func (m *material) free() {
	if m.bank != nil {
		m.bank.Close()
	}
	for _, f := range m.observed {
		f.Close()
	}
}

// gather takes the images through the network whose features one of the choices
// learns from or is searched on. compared are to score the validation images, too.
func (e *Evaluation) gather(ctx context.Context, choices []Choice, compared ...Choice) (*material, error) {
	var train, validID, validOOD bool
	for _, c := range choices {
		needs := c.Needs()
		train = train || needs.Train
		validID = validID || needs.ValidID
		compared = append(compared, c.searches()...)
	}
	if slices.ContainsFunc(compared, func(c Choice) bool { return len(c.Needs().Graph) == 0 }) { // others score the images
		validID, validOOD = true, true
	}
	m := &material{}
	var bank posthoc.Bank
	var err error
	if train {
		if m.bank, err = e.collect(ctx, trainName, e.Train); err != nil {
			return nil, err
		}
		bank = m.bank
	}
	if validID {
		m.validID, err = e.load(ctx, validIDName, e.ValidID)
	}
	if err == nil && validOOD {
		m.validOOD, err = e.load(ctx, validOODName, e.ValidOOD)
	}
	if err == nil {
		m.Data, err = e.Network.Data(ctx, bank, m.validID)
	}
	if err == nil {
		err = e.observe(ctx, m, choices)
	}
	if err != nil {
		m.free()
		return nil, err
	}
	return m, nil
}

// observe adds what the choices learn from values inside the network.
func (e *Evaluation) observe(ctx context.Context, m *material, choices []Choice) error {
	for _, c := range choices {
		for _, t := range c.tried() {
			for _, o := range posthoc.Observations(t, m.Data) {
				if m.Observed[o.Name] != nil {
					continue
				}
				of, s := trainName, e.Train
				if o.ValidID {
					of, s = validIDName, e.ValidID
				}
				f, err := e.features(ctx, of+"-"+o.Name, s, func(to *features.Writer, opt ScanOptions) (*features.File, error) {
					return e.Network.Observe(ctx, s.Images, o, to, opt)
				})
				if err != nil {
					return fmt.Errorf("%s: %w", c.Name, err)
				}
				m.Observed[o.Name], m.observed = f, append(m.observed, f)
			}
		}
	}
	return nil
}

// collect returns the features of a set, from the store if it has them.
func (e *Evaluation) collect(ctx context.Context, name string, s Set) (*features.File, error) {
	f, err := e.features(ctx, name, s, func(to *features.Writer, opt ScanOptions) (*features.File, error) {
		return e.Network.Collect(ctx, s.Images, to, opt)
	})
	if err == nil {
		e.learn(name, f.Len(), s.Images.Len())
	}
	return f, err
}

// features returns what is written of a set's images, from the store if it has that.
func (e *Evaluation) features(ctx context.Context, name string, s Set, write func(*features.Writer, ScanOptions) (*features.File, error)) (*features.File, error) {
	path, inputs := "", ""
	if e.Store != nil {
		path, inputs = e.Store.features(name), digestOf(storeVersion, e.Network.digest, s.Digest)
		if f, err := features.Open(path); err == nil {
			if f.Inputs() == inputs && e.usable(f.Len(), s.Images.Len()) {
				return f, nil
			}
			f.Close()
		}
	}
	if path != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "store features: %w", err)
		}
	}
	to, err := features.Create(path, inputs, s.Images.Len())
	if err != nil {
		return nil, err
	}
	opt, finish := e.scan(name, s.Images)
	defer finish()
	f, err := write(to, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// load is collect for a set that fits into memory.
func (e *Evaluation) load(ctx context.Context, name string, s Set) (*posthoc.Set, error) {
	f, err := e.collect(ctx, name, s)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Load()
}
