package eval

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/posthoc"
)

// Validated is a method as an evaluation found it, with how well it tells the validation
// images apart.
type Validated struct {
	Choice
	AUROC float64
}

// Validate compares the methods of an evaluation that has run on ValidID and ValidOOD, with
// the settings that they have in its results, and returns them, the best first; of equal
// ones that of the earlier choice. The test images have no part in this.
func (e *Evaluation) Validate(ctx context.Context, results []Result) ([]Validated, error) {
	if err := e.CheckValidation(); err != nil {
		return nil, err
	}
	all := make([]Validated, len(results))
	var needed []Choice
	for i, r := range results {
		m, err := e.configured(i, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Method, err)
		}
		all[i] = Validated{Choice: Choice{Entry: m}, AUROC: best(r.Trials)}
		if _, combined := m.Method.(*posthoc.Combined); r.Trials != nil && !combined { // whose trials are of its parts
			continue
		}
		if m, err = e.configured(i, r); err != nil { // to be fitted
			return nil, err
		}
		needed = append(needed, Choice{Entry: m})
	}
	if err := e.validate(ctx, needed, all); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Validated) int { return cmp.Compare(b.AUROC, a.AUROC) })
	return all, nil
}

// configured returns a choice with the settings that it has in a result, not yet fitted.
func (e *Evaluation) configured(i int, r Result) (Entry, error) {
	m := e.Choices[i].Entry.Method
	if posthoc.IsShipped(m) {
		return Entry{r.Method, m}, nil
	}
	m, err := posthoc.New(r.Method)
	if err == nil {
		err = posthoc.Configure(m, r.Settings)
	}
	return Entry{r.Method, m}, err
}

// best is the highest AUROC of a search.
func best(trials []Trial) float64 {
	highest := 0.0
	for _, t := range trials {
		highest = max(highest, t.AUROC)
	}
	return highest
}

// validate sets the AUROC of methods that were not searched: each goes through a search
// of its settings alone.
func (e *Evaluation) validate(ctx context.Context, needed []Choice, all []Validated) error {
	if len(needed) == 0 {
		return nil
	}
	from, err := e.gather(ctx, needed, needed...)
	if err != nil {
		return err
	}
	defer from.free()
	var onFeatures, onImages []*sweep
	found := map[string]*sweep{}
	for _, c := range needed {
		if err := e.ready(ctx, []Entry{c.Entry}, from); err != nil {
			return err
		}
		settings, err := posthoc.Settings(c.Entry.Method)
		if err != nil {
			return err
		}
		s := &sweep{Choice: c, trials: []Trial{{Settings: json.RawMessage(settings)}}, fitted: []candidate{{c.Entry, 0}}}
		if found[c.Name] = s; len(c.Needs().Graph) == 0 {
			onFeatures = append(onFeatures, s)
		} else {
			onImages = append(onImages, s)
		}
	}
	if err := e.searchFeatures(onFeatures, from); err != nil {
		return err
	}
	if err := e.withoutStore().searchImages(ctx, onImages); err != nil {
		return err
	}
	for i := range all {
		if s := found[all[i].Name]; s != nil {
			all[i].AUROC = s.trials[0].AUROC
		}
	}
	return nil
}

// withoutStore is the evaluation that keeps nothing: what it kept of a search would be
// taken for the whole of it.
func (e *Evaluation) withoutStore() *Evaluation {
	plain := *e
	plain.Store = nil
	return &plain
}

// CheckValidation reports whether there are the images that Validate takes, and whether
// any of the methods can be shipped.
func (e *Evaluation) CheckValidation() error {
	if e.ValidID.Images == nil || e.ValidOOD.Images == nil {
		return ascood.Errorf(ascood.Invalid, "the best method is found on validation images, never on those of the test: give %s and %s", ascood.Field("id_val"), ascood.Field("ood_val"))
	}
	sizes, err := e.sizes()
	if err != nil {
		return err
	}
	for _, c := range e.Choices {
		if err := posthoc.CheckBank(c.Entry.Method, sizes, len(e.Network.meta.Classes)); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}
