// Package study runs comparisons as papers have them: networks, data sets and methods of
// training, each with several seeds and judged by several post-hoc scores. A plan says
// which; its parts are runs of the project's programs, each of which is done once and
// recognised by a digest of all that it depends on.
package study

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/presets"
)

// Plan is a study, as its JSON file has it. Paths start from the file's folder.
type Plan struct {
	Name string `json:"-"` // the file's, without .json

	Title      string     `json:"title"`
	Notes      []string   `json:"notes"`      // shown under the table
	Seeds      []uint64   `json:"seeds"`      // each a run of all there is
	Scores     []string   `json:"scores"`     // post-hoc methods, or Published; of methods that name none of their own
	Evaluation Evaluation `json:"evaluation"` // how they are applied
	Training   Settings   `json:"training"`   // of all trainings
	Networks   []Network  `json:"networks"`   // none: the one that Training or the presets name
	Data       []Data     `json:"data"`
	Methods    []Method   `json:"methods"` // of training
	Table      Table      `json:"table"`
}

// Network is one to compare on all data.
type Network struct {
	Name     string   `json:"name"`
	Training Settings `json:"training"`
}

// Data is what a network is trained and tested on: image sets as ascood-train takes them, or
// a published experiment whose lists are below the data root.
type Data struct {
	Name string `json:"name"`

	Preset     string `json:"preset"`     // one of presets.Names; the lists below have no place beside it
	Pretrained string `json:"pretrained"` // the weights that its training starts from, a path from the data root; or none

	Train    string  `json:"train"`
	Val      string  `json:"val"`     // for the best epoch, the calibration, and all searches
	Test     string  `json:"test"`    // looked at by the final evaluation alone
	OODVal   string  `json:"ood_val"` // for searches
	Near     []Named `json:"near"`
	Far      []Named `json:"far"`
	Outliers string  `json:"outliers"` // for the methods that learn from such
	Root     string  `json:"root"`     // where paths in the lists start; "" is each list's own folder
	Classes  string  `json:"classes"`  // file with the classes' names

	Training Settings `json:"training"`
}

// Named is a set of images with a name.
type Named struct {
	Name   string `json:"name"`
	Images string `json:"images"`
}

// Method is a way to train, with its hyperparameters.
type Method struct {
	Name     string   `json:"name"`     // in the table
	Method   string   `json:"method"`   // one of train.Methods
	Set      Settings `json:"set"`      // the hyperparameters that ascood-train --set takes
	Training Settings `json:"training"` // in place of the plan's, the network's and the data's
	Scores   []string `json:"scores"`   // in place of the plan's
	From     string   `json:"from"`     // the method, further up, whose weights of the same seed it starts from
	Only     []string `json:"only"`     // the data that it is for; none is all
	Search   *Search  `json:"search"`
}

// Search tries all combinations of values, and takes the one whose network tells the
// validation images from the OOD validation images best.
type Search struct {
	Score    string           `json:"score"`    // by whose AUROC
	Seed     *uint64          `json:"seed"`     // of the runs that are compared; nil is the plan's first
	Set      map[string][]any `json:"set"`      // values of hyperparameters
	Training map[string][]any `json:"training"` // values of training settings
}

// Evaluation is how scores are applied.
type Evaluation struct {
	Search   *bool    `json:"search"`    // settings of scores on the validation images; nil is true
	Set      Settings `json:"set"`       // settings as score.name, which are not searched
	Bank     int      `json:"bank"`      // so many training images for scores that learn from them; 0 is all
	FarExtra *bool    `json:"far_extra"` // the presets' further far sets, such as iSUN; nil is true
}

func (e Evaluation) search() bool   { return e.Search == nil || *e.Search }
func (e Evaluation) farExtra() bool { return e.FarExtra == nil || *e.FarExtra }

// Table is what the table shows.
type Table struct {
	Columns []string `json:"columns"` // of each data: near, far, far_all, or an OOD set's name; none is near and far
	Metrics []string `json:"metrics"` // of each column; none is FPR@95 and AUROC
}

// Published stands for the score that the data's preset is published with.
const Published = "published"

// Load reads a plan. What is wrong with it is ascood.Invalid and named, all of it at once.
func Load(path string) (*Plan, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	p := &Plan{Name: strings.TrimSuffix(filepath.Base(path), ".json")}
	faults := decode(content, p)
	if len(faults) == 0 {
		faults = p.faults()
	}
	if len(faults) > 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s: %s", path, strings.Join(faults, "\n"+path+": "))
	}
	p.resolve(filepath.Dir(path))
	return p, nil
}

// resolve lets paths start from a folder.
func (p *Plan) resolve(dir string) {
	for _, s := range p.settings() {
		s.resolve(dir)
	}
	for i := range p.Data {
		d := &p.Data[i]
		paths := []*string{&d.Train, &d.Val, &d.Test, &d.OODVal, &d.Outliers, &d.Root, &d.Classes}
		for _, sets := range [][]Named{d.Near, d.Far} {
			for k := range sets {
				paths = append(paths, &sets[k].Images)
			}
		}
		for _, path := range paths {
			*path = under(dir, *path)
		}
	}
}

// under is a path from a folder; absolute ones and none stay.
func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// settings are all training settings, by where they stand.
func (p *Plan) settings() map[string]Settings {
	all := map[string]Settings{"training": p.Training}
	for _, n := range p.Networks {
		all["network "+n.Name] = n.Training
	}
	for _, d := range p.Data {
		all["data "+d.Name] = d.Training
	}
	for _, m := range p.Methods {
		all["method "+m.Name] = m.Training
	}
	return all
}

// networks are those to compare: one without a name if the plan has none.
func (p *Plan) networks() []Network {
	if len(p.Networks) == 0 {
		return []Network{{}}
	}
	return p.Networks
}

// methods are those for some data.
func (p *Plan) methods(data string) []Method {
	return slices.DeleteFunc(slices.Clone(p.Methods), func(m Method) bool { return !m.on(data) })
}

// method is the one of a name.
func (p *Plan) method(name string) Method {
	return p.Methods[slices.IndexFunc(p.Methods, func(m Method) bool { return m.Name == name })]
}

// on reports whether a method is for some data.
func (m Method) on(data string) bool { return len(m.Only) == 0 || slices.Contains(m.Only, data) }

// exposed reports whether a method learns from outliers.
func (m Method) exposed() bool { return slices.Contains(presets.Exposed(), m.Method) }

// scores are the post-hoc methods that networks of a method are judged by, as the plan has
// them.
func (p *Plan) scores(m Method) []string {
	if len(m.Scores) > 0 {
		return m.Scores
	}
	return p.Scores
}

// resolved is a score by its own name.
func (d Data) resolved(score string) (string, error) {
	if score != Published {
		return score, nil
	}
	if d.Preset == "" {
		return "", fmt.Errorf("score %s: data %s is of no preset that could be published with one", score, d.Name)
	}
	preset, err := presets.Load(d.Preset)
	if err == nil && preset.Postprocessor == "" {
		err = fmt.Errorf("score %s: preset %s is published with none", score, d.Preset)
	}
	if err != nil {
		return "", err
	}
	return preset.Postprocessor, nil
}

// isSearched reports whether the settings of a score have a published sweep.
func isSearched(score string) bool { return posthoc.Sweep(score) != nil }
