// Package eval evaluates post-hoc methods on an exported model: it lets them learn,
// searches their settings, and scores sets of images in one pass over each. What is
// computed can be kept, and an interrupted evaluation goes on with it.
package eval

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/posthoc"
)

// Set is a dataset with its name in tables and files.
type Set struct {
	Name   string
	Images dataset.Dataset // nil where there is none
	Digest string          // as dataset.Digest gives it; for a Store

	Skipped int // images that could not be loaded, which Images is without after Run
}

// Choice is a method to evaluate.
type Choice struct {
	Entry
	Search bool // over its published sweep; the settings of Method do not matter then

	// Fixed names the parts of a combination that Search is not for.
	Fixed []string
}

// parts are the methods of a combination, searched as if they were alone, or the choice
// itself.
func (c Choice) parts() []Choice {
	combined, ok := c.Entry.Method.(*posthoc.Combined)
	if !ok {
		return []Choice{c}
	}
	var all []Choice
	for i, name := range combined.Names {
		searched := c.Search && posthoc.Sweep(name) != nil && !slices.Contains(c.Fixed, name)
		all = append(all, Choice{Entry: Entry{name, combined.Parts[i]}, Search: searched})
	}
	return all
}

// searches are those of the parts that are searched.
func (c Choice) searches() []Choice {
	return slices.DeleteFunc(c.parts(), func(part Choice) bool { return !part.Search })
}

// tried are the parts with all settings that they may get.
func (c Choice) tried() []posthoc.Method {
	var all []posthoc.Method
	for _, part := range c.parts() {
		if part.Search {
			all = append(all, posthoc.Sweep(part.Name)...)
		} else {
			all = append(all, part.Entry.Method)
		}
	}
	return all
}

// Evaluation compares in-distribution images with others by several methods.
type Evaluation struct {
	Network   *Network
	Choices   []Choice
	ID        Set // labelled
	Near, Far []Set
	FarExtra  []Set // far ones that a mean of their own takes in besides Far
	Further   []Set // OOD ones in no mean

	// What methods learn from and settings are searched on, where one needs it.
	Train, ValidID, ValidOOD Set

	Store *Store // of scores, to be used and added to; nil for none

	ReferencePrecision bool // methods that score by the softmax compute it as posthoc.UseReferencePrecision says
	SkipBroken         bool // images that cannot be loaded are left out; else they are an error
	// Skipped, if not nil, is told of the images of a set that are left out, and why.
	Skipped func(set string, images int, broken []error)

	BatchSize int
	// Progress, if not nil, is told of each pass over images.
	Progress func(what string, images int) (done func(n int), finish func())

	notLearnt map[string][]string // notes on sets that methods learn from, by name
}

// Result is what an evaluation finds of one method.
type Result struct {
	Method   string
	Settings string   // a JSON object
	Notes    []string // on what it has learnt from
	Trials   []Trial  // of the search; nil without one
	Scores   []Scores // of each of Sets
	Correct  int      // in-distribution images whose class the network has right
	Table    []metrics.Row
}

// Tried returns how many settings were compared, 0 without a search.
func (r Result) Tried() int {
	n := 0
	for _, t := range r.Trials {
		if t.Error == "" {
			n++
		}
	}
	return n
}

// Sets returns all sets: the in-distribution one, the near ones, the far ones, those
// that are extra and the further ones.
func (e *Evaluation) Sets() []Set {
	var all []Set
	for s := range e.each() {
		all = append(all, *s)
	}
	return all
}

// each yields the sets in that order.
func (e *Evaluation) each() iter.Seq[*Set] {
	return func(yield func(*Set) bool) {
		if !yield(&e.ID) {
			return
		}
		for _, group := range [][]Set{e.Near, e.Far, e.FarExtra, e.Further} {
			for i := range group {
				if !yield(&group[i]) {
					return
				}
			}
		}
	}
}

// Run evaluates all methods. Each of Sets is gone through once, whatever the number
// of methods; what the evaluation lacks is found before it begins. With SkipBroken the
// sets are without the images that are left out when it ends.
func (e *Evaluation) Run(ctx context.Context) ([]Result, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	results, todo, err := e.recall()
	if err != nil {
		return nil, err
	}
	methods, done, err := e.fit(ctx, todo, results)
	if err != nil {
		return nil, err
	}
	defer done()
	for k, s := range e.Sets() {
		if err := e.score(ctx, k, methods, todo, results); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	if err := e.leaveOut(results); err != nil {
		return nil, err
	}
	for i := range results {
		if err := e.compare(&results[i]); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// score scores set k by the methods whose scores of it are missing, and stores
// them.
func (e *Evaluation) score(ctx context.Context, k int, methods []Entry, todo []work, results []Result) error {
	var now []Entry
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
	opt, finish := e.scan(s.Name, s.Images)
	defer finish()
	scores, failed := e.Network.Score(ctx, s.Images, now, opt)
	for n, i := range at {
		if scores == nil || scores[n].Values == nil {
			continue // failed says why
		}
		r := &results[i]
		r.Scores[k] = scores[n]
		if e.Store != nil {
			if err := e.Store.saveScores(r.Method, s.without(scores[n].Broken), k == 0, todo[i].inputs, scores[n]); err != nil {
				return err
			}
		}
	}
	return failed
}

// precise returns a method that computes at the evaluation's precision.
func (e *Evaluation) precise(m posthoc.Method) posthoc.Method {
	if e.ReferencePrecision {
		posthoc.UseReferencePrecision(m)
	}
	return m
}

// scan announces a pass over images.
func (e *Evaluation) scan(what string, images dataset.Dataset) (opt ScanOptions, finish func()) {
	opt, done := e.announce(what, images.Len())
	if !e.SkipBroken {
		return opt, done
	}
	s := &skipped{evaluation: e, set: what, images: images.Len()}
	opt.Broken = s.note
	return opt, func() { done(); s.tell() }
}

// announce tells of the progress of what takes long.
func (e *Evaluation) announce(what string, images int) (opt ScanOptions, finish func()) {
	opt.BatchSize = e.BatchSize
	finish = func() {}
	if e.Progress != nil {
		opt.Done, finish = e.Progress(what, images)
	}
	return opt, finish
}

// compare fills a result's table.
func (e *Evaluation) compare(r *Result) error {
	for i, p := range r.Scores[0].Predictions {
		if p == e.ID.Images.Label(i) {
			r.Correct++
		}
	}
	var rows []metrics.Row
	for k, s := range e.Sets()[1:] {
		m, err := metrics.Compute(r.Scores[0].Values, r.Scores[k+1].Values, r.Correct)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", r.Method, s.Name, err)
		}
		rows = append(rows, metrics.Row{Name: s.Name, Metrics: m, Skipped: metrics.Skipped{ID: e.ID.Skipped, OOD: s.Skipped}})
	}
	take := func(sets []Set) (group []metrics.Row) {
		group, rows = rows[:len(sets)], rows[len(sets):]
		return group
	}
	r.Table = metrics.Groups{Near: take(e.Near), Far: take(e.Far), FarExtra: take(e.FarExtra), Further: take(e.Further)}.Table()
	return nil
}

// Thresholds returns the thresholds of a result, with the names of the OOD sets.
func (e *Evaluation) Thresholds(r Result) ([]metrics.Threshold, []string, error) {
	var sets []string
	var ood [][]float64
	for k, s := range e.Sets()[1:] {
		sets, ood = append(sets, s.Name), append(ood, r.Scores[k+1].Values)
	}
	all, err := metrics.Thresholds(r.Scores[0].Values, ood...)
	return all, sets, err
}
