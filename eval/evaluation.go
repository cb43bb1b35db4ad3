package eval

import (
	"context"
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// Set is a dataset with its name in tables and files.
type Set struct {
	Name   string
	Images preprocess.Dataset
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

	// What methods learn from and settings are searched on; nil where none needs
	// it.
	Train, ValidID, ValidOOD preprocess.Dataset

	BatchSize int
	// Progress, if not nil, is told of each pass over images.
	Progress func(what string, images int) (done func(n int), finish func())
}

// Result is what an evaluation finds of one method.
type Result struct {
	Method   string
	Settings string  // a JSON object
	Trials   []Trial // of the search; nil without one
	ID       posthoc.Scores
	OOD      []posthoc.Scores // of the near sets, then the far ones
	Table    []Row
}

// Run evaluates all methods. Each set of images is gone through once, whatever
// the number of methods; what the evaluation lacks is found before it begins.
func (e *Evaluation) Run(ctx context.Context) ([]Result, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	methods, trials, err := e.fit(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(methods))
	for i, m := range methods {
		settings, err := posthoc.Settings(m.Method)
		if err != nil {
			return nil, err
		}
		results[i] = Result{Method: m.Name, Settings: settings, Trials: trials[m.Name]}
	}
	for k, s := range slices.Concat([]Set{e.ID}, e.Near, e.Far) {
		scores, err := e.score(ctx, s, methods)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		for i := range results {
			if k == 0 {
				results[i].ID = scores[i]
			} else {
				results[i].OOD = append(results[i].OOD, scores[i])
			}
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
	for _, s := range slices.Concat([]Set{e.ID}, e.Near, e.Far) {
		if names[s.Name] {
			return ascood.Errorf(ascood.Invalid, "two sets are named %s", s.Name)
		}
		names[s.Name] = true
	}
	for _, c := range e.Choices {
		needs := c.Needs()
		switch {
		case c.Search && (e.ValidID == nil || e.ValidOOD == nil):
			return ascood.Errorf(ascood.Invalid, "the settings of %s are searched on validation images: give --id-val and --ood-val, its settings with --set, or --aps=false for the published ones", c.Name)
		case needs.Train && e.Train == nil:
			return ascood.Errorf(ascood.Invalid, "%s learns from training images: give --id-train", c.Name)
		case needs.ValidID && e.ValidID == nil:
			return ascood.Errorf(ascood.Invalid, "%s learns from in-distribution validation images: give --id-val", c.Name)
		}
	}
	for _, d := range []preprocess.Dataset{e.ID.Images, e.Train, e.ValidID} {
		if d == nil {
			continue
		}
		if err := e.Network.CheckID(d); err != nil {
			return err
		}
	}
	return nil
}

// fit returns the methods ready to score, with what the searches tried.
func (e *Evaluation) fit(ctx context.Context) ([]Method, map[string][]Trial, error) {
	data, v, err := e.learnables(ctx)
	if err != nil {
		return nil, nil, err
	}
	methods := make([]Method, len(e.Choices))
	var searched []string
	for i, c := range e.Choices {
		if c.Search {
			searched = append(searched, c.Name)
			continue
		}
		if err := posthoc.Fit(c.Method, data); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		methods[i] = c.Method
	}
	trials := map[string][]Trial{}
	if len(searched) == 0 {
		return methods, trials, nil
	}
	opt, finish := e.scan("search", v.ID.Len()+v.OOD.Len())
	defer finish()
	best, tried, err := e.Network.Search(ctx, searched, data, v, opt)
	if err != nil {
		return nil, nil, err
	}
	for k, m := range best {
		trials[m.Name] = tried[k]
		i := slices.IndexFunc(e.Choices, func(c Choice) bool { return c.Search && c.Name == m.Name })
		methods[i] = m
	}
	return methods, trials, nil
}

// learnables collects the sets that a method needs or a search does.
func (e *Evaluation) learnables(ctx context.Context) (*posthoc.Data, Validation, error) {
	var train, validID, validOOD bool
	for _, c := range e.Choices {
		needs := c.Needs()
		train = train || needs.Train
		validID = validID || needs.ValidID || c.Search
		validOOD = validOOD || c.Search
	}
	v := Validation{ID: e.ValidID, OOD: e.ValidOOD}
	var bank *posthoc.Set
	for _, s := range []struct {
		needed bool
		what   string
		data   preprocess.Dataset
		to     **posthoc.Set
	}{
		{train, "training images", e.Train, &bank},
		{validID, "validation images", e.ValidID, &v.IDSet},
		{validOOD, "OOD validation images", e.ValidOOD, &v.OODSet},
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

func (e *Evaluation) score(ctx context.Context, s Set, methods []Method) ([]posthoc.Scores, error) {
	opt, finish := e.scan(s.Name, s.Images.Len())
	defer finish()
	return e.Network.Score(ctx, s.Images, methods, opt)
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
	for i, p := range r.ID.Predictions {
		if p == e.ID.Images.Label(i) {
			correct++
		}
	}
	var rows []Row
	for k, s := range slices.Concat(e.Near, e.Far) {
		m, err := Compute(r.ID.Values, r.OOD[k].Values, correct)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", r.Method, s.Name, err)
		}
		rows = append(rows, Row{s.Name, m})
	}
	r.Table = Table(rows[:len(e.Near)], rows[len(e.Near):])
	return nil
}
