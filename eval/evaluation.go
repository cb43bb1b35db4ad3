package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// Set is a dataset with its name in tables and files.
type Set struct {
	Name   string
	Images preprocess.Dataset // nil where there is none
	Digest string             // as Digest gives it; for a Store
}

// Choice is a method to evaluate.
type Choice struct {
	Method
	Search bool // over its published sweep; the settings of Method do not matter then
}

// Evaluation compares in-distribution images with others by several methods.
type Evaluation struct {
	Network   *Network
	Choices   []Choice
	ID        Set // labelled
	Near, Far []Set

	// What methods learn from and settings are searched on, where one needs it.
	Train, ValidID, ValidOOD Set

	Store *Store // of scores, to be used and added to; nil for none

	BatchSize int
	// Progress, if not nil, is told of each pass over images.
	Progress func(what string, images int) (done func(n int), finish func())
}

// Result is what an evaluation finds of one method.
type Result struct {
	Method   string
	Settings string           // a JSON object
	Trials   []Trial          // of the search; nil without one
	Scores   []posthoc.Scores // of each of Sets
	Table    []Row
}

// Sets returns all sets: the in-distribution one, the near ones, the far ones.
func (e *Evaluation) Sets() []Set { return slices.Concat([]Set{e.ID}, e.Near, e.Far) }

// Run evaluates all methods. Each set of images is gone through once, whatever
// the number of methods; what the evaluation lacks is found before it begins.
func (e *Evaluation) Run(ctx context.Context) ([]Result, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	results, todo, err := e.recall()
	if err != nil {
		return nil, err
	}
	methods, err := e.fit(ctx, todo, results)
	if err != nil {
		return nil, err
	}
	for k, s := range e.Sets() {
		if err := e.score(ctx, k, methods, todo, results); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	for i := range results {
		if err := e.compare(&results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// check finds what the evaluation lacks.
func (e *Evaluation) check() error {
	if len(e.Choices) == 0 || len(e.Near)+len(e.Far) == 0 {
		return ascood.Errorf(ascood.Invalid, "an evaluation takes at least one method and one set of OOD images")
	}
	names := map[string]bool{}
	for _, s := range e.Sets() {
		if names[s.Name] {
			return ascood.Errorf(ascood.Invalid, "two sets are named %s", s.Name)
		}
		names[s.Name] = true
	}
	for _, c := range e.Choices {
		needs := c.Needs()
		switch {
		case c.Search && (e.ValidID.Images == nil || e.ValidOOD.Images == nil):
			return ascood.Errorf(ascood.Invalid, "the settings of %s are searched on validation images: give --id-val and --ood-val, its settings with --set, or --aps=false for the published ones", c.Name)
		case needs.Train && e.Train.Images == nil:
			return ascood.Errorf(ascood.Invalid, "%s learns from training images: give --id-train", c.Name)
		case needs.ValidID && e.ValidID.Images == nil:
			return ascood.Errorf(ascood.Invalid, "%s learns from in-distribution validation images: give --id-val", c.Name)
		}
	}
	for _, d := range []preprocess.Dataset{e.ID.Images, e.Train.Images, e.ValidID.Images} {
		if d == nil {
			continue
		}
		if err := e.Network.CheckID(d); err != nil {
			return err
		}
	}
	return nil
}

// work is what is left to do of a choice.
type work struct {
	missing []bool   // of each set, whether it is to be scored
	inputs  []string // of each set, the digest of what the scores depend on
}

func (w work) any() bool { return slices.Contains(w.missing, true) }

// recall returns what the store has of each choice, and what is left to do.
func (e *Evaluation) recall() ([]Result, []work, error) {
	var results []Result
	var todo []work
	for _, c := range e.Choices {
		r, w := Result{Method: c.Name}, work{}
		for _, s := range e.Sets() {
			inputs, scores, err := e.recallSet(c, s, &r)
			if err != nil {
				return nil, nil, err
			}
			w.inputs, w.missing = append(w.inputs, inputs), append(w.missing, scores == nil)
			if scores == nil {
				scores = &posthoc.Scores{}
			}
			r.Scores = append(r.Scores, *scores)
		}
		results, todo = append(results, r), append(todo, w)
	}
	return results, todo, nil
}

// recallSet returns the stored scores of a set, nil if there are none.
func (e *Evaluation) recallSet(c Choice, s Set, r *Result) (string, *posthoc.Scores, error) {
	if e.Store == nil {
		return "", nil, nil
	}
	inputs, err := e.inputs(c, s)
	if err != nil {
		return "", nil, err
	}
	scores, from, err := e.Store.load(c.Name, s, inputs)
	if scores != nil {
		r.Settings, r.Trials = string(from.Settings), from.Trials
	}
	return inputs, scores, err
}

// fit returns the methods that have sets to score, ready to, in the place of their
// choices, and notes their settings.
func (e *Evaluation) fit(ctx context.Context, todo []work, results []Result) ([]Method, error) {
	methods := make([]Method, len(e.Choices))
	var needed []Choice
	var searched []string
	for i, c := range e.Choices {
		if !todo[i].any() {
			continue
		}
		needed = append(needed, c)
		if c.Search {
			searched = append(searched, c.Name)
		}
	}
	data, v, err := e.learnables(ctx, needed)
	if err != nil {
		return nil, err
	}
	best, err := e.search(ctx, searched, data, v, results)
	if err != nil {
		return nil, err
	}
	for i, c := range e.Choices {
		if !todo[i].any() {
			continue
		}
		methods[i] = c.Method
		if c.Search {
			methods[i] = best[c.Name]
		} else if err := posthoc.Fit(c.Method.Method, data); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if results[i].Settings, err = posthoc.Settings(methods[i].Method); err != nil {
			return nil, err
		}
	}
	return methods, nil
}

// search returns the best of the named methods' settings, by name, and notes the
// trials.
func (e *Evaluation) search(ctx context.Context, names []string, data *posthoc.Data, v Validation, results []Result) (map[string]Method, error) {
	if len(names) == 0 {
		return nil, nil
	}
	opt, finish := e.scan("search", v.ID.Len()+v.OOD.Len())
	defer finish()
	methods, trials, err := e.Network.Search(ctx, names, data, v, opt)
	if err != nil {
		return nil, err
	}
	best := map[string]Method{}
	for k, m := range methods {
		best[m.Name] = m
		i := slices.IndexFunc(results, func(r Result) bool { return r.Method == m.Name })
		results[i].Trials = trials[k]
	}
	return best, nil
}

// Learns reports which of Train, ValidID and ValidOOD the choices need.
func (e *Evaluation) Learns() (train, validID, validOOD bool) { return learns(e.Choices) }

func learns(choices []Choice) (train, validID, validOOD bool) {
	for _, c := range choices {
		needs := c.Needs()
		train = train || needs.Train
		validID = validID || needs.ValidID || c.Search
		validOOD = validOOD || c.Search
	}
	return train, validID, validOOD
}

// learnables collects the sets that one of the choices needs or its search does.
func (e *Evaluation) learnables(ctx context.Context, choices []Choice) (*posthoc.Data, Validation, error) {
	train, validID, validOOD := learns(choices)
	v := Validation{ID: e.ValidID.Images, OOD: e.ValidOOD.Images}
	var bank *posthoc.Set
	for _, s := range []struct {
		needed bool
		what   string
		data   preprocess.Dataset
		to     **posthoc.Set
	}{
		{train, "training images", e.Train.Images, &bank},
		{validID, "validation images", e.ValidID.Images, &v.IDSet},
		{validOOD, "OOD validation images", e.ValidOOD.Images, &v.OODSet},
	} {
		if !s.needed {
			continue
		}
		var err error
		if *s.to, err = e.collect(ctx, s.what, s.data); err != nil {
			return nil, v, fmt.Errorf("%s: %w", s.what, err)
		}
	}
	data, err := e.Network.Data(ctx, bank, v.IDSet)
	return data, v, err
}

func (e *Evaluation) collect(ctx context.Context, what string, d preprocess.Dataset) (*posthoc.Set, error) {
	opt, finish := e.scan(what, d.Len())
	defer finish()
	return e.Network.Collect(ctx, d, opt)
}

// score scores set k by the methods whose scores of it are missing, and stores
// them.
func (e *Evaluation) score(ctx context.Context, k int, methods []Method, todo []work, results []Result) error {
	var now []Method
	var at []int // indices of now
	for i, m := range methods {
		if todo[i].missing[k] {
			now, at = append(now, m), append(at, i)
		}
	}
	if len(now) == 0 {
		return nil
	}
	s := e.Sets()[k]
	opt, finish := e.scan(s.Name, s.Images.Len())
	defer finish()
	scores, err := e.Network.Score(ctx, s.Images, now, opt)
	if err != nil {
		return err
	}
	for n, i := range at {
		r := &results[i]
		r.Scores[k] = scores[n]
		if e.Store != nil {
			from := origin{Inputs: todo[i].inputs[k], Settings: json.RawMessage(r.Settings), Trials: r.Trials}
			if err := e.Store.save(r.Method, s, from, scores[n]); err != nil {
				return err
			}
		}
	}
	return nil
}

// scan announces a pass over images.
func (e *Evaluation) scan(what string, images int) (opt ScanOptions, finish func()) {
	opt.BatchSize = e.BatchSize
	finish = func() {}
	if e.Progress != nil {
		opt.Done, finish = e.Progress(what, images)
	}
	return opt, finish
}

// compare fills a result's table.
func (e *Evaluation) compare(r *Result) error {
	correct := 0
	for i, p := range r.Scores[0].Predictions {
		if p == e.ID.Images.Label(i) {
			correct++
		}
	}
	var rows []Row
	for k, s := range e.Sets()[1:] {
		m, err := Compute(r.Scores[0].Values, r.Scores[k+1].Values, correct)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", r.Method, s.Name, err)
		}
		rows = append(rows, Row{s.Name, m})
	}
	r.Table = Table(rows[:len(e.Near)], rows[len(e.Near):])
	return nil
}
