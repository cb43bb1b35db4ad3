package eval

import (
	"fmt"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/posthoc"
)

// Check finds what the evaluation lacks, before any image is looked at.
func (e *Evaluation) Check() error {
	if len(e.Choices) == 0 || len(e.Sets()) == 1 {
		return ascood.Errorf(ascood.Invalid, "an evaluation takes at least one method and one set of OOD images")
	}
	if err := e.checkNames(); err != nil {
		return err
	}
	sizes, err := e.sizes()
	if err != nil {
		return err
	}
	if err := e.checkSets(); err != nil {
		return err
	}
	for _, c := range e.Choices {
		if err := e.checkChoice(c, sizes); err != nil {
			return err
		}
	}
	return e.checkLabels()
}

// sizes are what is known of the data that methods learn from.
func (e *Evaluation) sizes() (posthoc.Sizes, error) {
	weight, _, err := e.Network.lastLayer()
	if err != nil {
		return posthoc.Sizes{}, err
	}
	sizes := posthoc.Sizes{Dim: weight.Cols, NotLinear: weight.Data == nil}
	if e.Train.Images != nil {
		sizes.Train = e.Train.Images.Len()
	}
	return sizes, nil
}

// checkLabels reports in-distribution images that are of none of the network's classes.
func (e *Evaluation) checkLabels() error {
	for _, d := range []dataset.Dataset{e.ID.Images, e.Train.Images, e.ValidID.Images} {
		if d == nil {
			continue
		}
		if err := e.Network.CheckID(d); err != nil {
			return err
		}
	}
	return nil
}

// checkNames reports OOD sets that could not be told apart, by each other or from
// what else a table and the files have.
func (e *Evaluation) checkNames() error {
	seen := map[string]bool{}
	for _, s := range e.Sets()[1:] {
		switch {
		case s.Name == e.ID.Name || s.Name == metrics.NearMean || s.Name == metrics.FarMean || strings.HasPrefix(s.Name, metrics.FarMeanWith("")):
			return ascood.Errorf(ascood.Invalid, "a set of OOD images cannot be named %s: that is something else in the results", s.Name)
		case seen[s.Name]:
			return ascood.Errorf(ascood.Invalid, "two sets are named %s", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// checkSets reports the sets that methods need and that are missing, all of them.
func (e *Evaluation) checkSets() error {
	var train, validID, searched []string // methods that lack them
	for _, c := range e.Choices {
		needs := c.Needs()
		if needs.Train && e.Train.Images == nil {
			train = append(train, c.Name)
		}
		if needs.ValidID && e.ValidID.Images == nil {
			validID = append(validID, c.Name)
		}
		if c.Search && (e.ValidID.Images == nil || e.ValidOOD.Images == nil) {
			searched = append(searched, c.Name)
		}
	}
	var faults []string
	var args []any
	fault := func(format string, with ...any) { faults, args = append(faults, format), append(args, with...) }
	if train != nil {
		fault("%s from training images: give %s", learners(train), ascood.Field("id_train"))
	}
	if validID != nil {
		fault("%s from in-distribution validation images: give %s", learners(validID), ascood.Field("id_val"))
	}
	if searched != nil {
		fault("the settings of %s are searched on validation images: give %s and %s, settings with %s, or %s=false for the published ones",
			enumeration(searched), ascood.Field("id_val"), ascood.Field("ood_val"), ascood.Field("set"), ascood.Field("aps"))
	}
	if faults == nil {
		return nil
	}
	return ascood.Errorf(ascood.Invalid, strings.Join(faults, "; "), args...)
}

// learners is the beginning of a sentence on methods that learn.
func learners(methods []string) string {
	if len(methods) == 1 {
		return methods[0] + " learns"
	}
	return enumeration(methods) + " learn"
}

// enumeration is a list such as "a, b and c".
func enumeration(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// checkChoice reports what of the network a method lacks, and settings that cannot
// be.
func (e *Evaluation) checkChoice(c Choice, sizes posthoc.Sizes) error {
	if sizes.NotLinear && c.Needs().Linear {
		return fmt.Errorf("%s: %w", c.Name, posthoc.ErrNotLinear)
	}
	for _, value := range c.Needs().Graph {
		if !e.Network.has(value) {
			return ascood.Errorf(ascood.Unsupported, "%s works on %s of the network, and this model of a %s has none", c.Name, value, e.Network.meta.Arch)
		}
	}
	if err := checkSearches(c); err != nil {
		return err
	}
	if !c.Search {
		return checkSettings(c.Entry, sizes)
	}
	for _, part := range c.parts() {
		err := error(nil)
		if part.Search {
			err = checkSweep(part.Name, sizes)
		} else {
			err = checkSettings(part.Entry, sizes)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func checkSettings(m Entry, sizes posthoc.Sizes) error {
	if err := posthoc.Check(m.Method, sizes); err != nil {
		return ascood.Errorf(ascood.CodeOf(err), "%s: %w: choose with %s %s.NAME=VALUE", m.Name, err, ascood.Field("set"), m.Name)
	}
	return nil
}

// checkSweep reports a sweep of which no settings can be.
func checkSweep(name string, sizes posthoc.Sizes) error {
	var first error
	for _, m := range posthoc.Sweep(name) {
		err := posthoc.Check(m, sizes)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return ascood.Errorf(ascood.Invalid, "%s has no published settings to search", name)
	}
	return noSettings(name, first.Error())
}
