package study

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/presets"
)

// expansion turns a plan into parts.
type expansion struct {
	plan    *Plan
	sources map[string]*source
	files   digester
	folder  string
	found   map[combination]Settings // outcomes of searches; those of Set begin with setPrefix
	trained map[run]*Part            // for those that start from them

	parts     []*Part
	known     map[string]*Part // by what they are recognised by: equal parts are one
	evaluated map[run]*Part    // the evaluations of the final runs
	open      []combination    // what cannot be said before a search has ended
	tries     []*try           // all searches
}

// try is a search and its candidates.
type try struct {
	combination
	score      string
	candidates []candidate
}

type candidate struct {
	set, training Settings
	validate      *Part
}

// text is the candidate's settings for people.
func (c candidate) text() string { return c.set.over(c.training).String() }

// combination is what a search is made for.
type combination struct{ network, data, method string }

// run is one of a combination's.
type run struct {
	combination
	seed uint64
}

// expand lists the parts that can be said by now, those of a network, data and method
// together, each after those that it needs.
func (x *expansion) expand() {
	x.parts, x.open, x.tries = nil, nil, nil
	x.known, x.trained, x.evaluated = map[string]*Part{}, map[run]*Part{}, map[run]*Part{}
	for _, n := range x.plan.networks() {
		for _, d := range x.plan.Data {
			for _, m := range x.plan.methods(d.Name) {
				x.method(n, d.Name, m)
			}
		}
	}
}

// method adds the parts of a method: of its search, and those of its runs once that has ended.
func (x *expansion) method(n Network, data string, m Method) {
	of := combination{n.Name, data, m.Name}
	if m.From != "" && slices.Contains(x.open, combination{n.Name, data, m.From}) {
		x.open = append(x.open, of)
		return
	}
	if m.Search != nil {
		x.search(n, data, m)
		chosen, ok := x.found[of]
		if !ok {
			x.open = append(x.open, of)
			return
		}
		m = m.with(chosen)
	}
	for _, seed := range x.plan.Seeds {
		model := x.model(n, data, m, seed, "")
		x.trained[run{of, seed}] = model.needs
		x.evaluated[run{of, seed}] = x.evaluate(model, m)
	}
}

// setPrefix marks what a search found of a method's hyperparameters.
const setPrefix = "set."

// with is the method with what its search has found.
func (m Method) with(found Settings) Method {
	set, training := Settings{}, Settings{}
	for name, v := range found {
		if own, ok := strings.CutPrefix(name, setPrefix); ok {
			set[own] = v
		} else {
			training[name] = v
		}
	}
	m.Set, m.Training = m.Set.over(set), m.Training.over(training)
	return m
}

func (c candidate) found() Settings {
	all := maps.Clone(c.training)
	for name, v := range c.set {
		all[setPrefix+name] = v
	}
	return all
}

// search adds the candidates' parts.
func (x *expansion) search(n Network, data string, m Method) {
	seed := x.plan.Seeds[0]
	if m.Search.Seed != nil {
		seed = *m.Search.Seed
	}
	score, err := x.sources[data].resolved(m.Search.Score)
	if err != nil {
		return // Plan.faults has said so
	}
	t := &try{combination: combination{n.Name, data, m.Name}, score: score}
	for _, c := range m.Search.candidates() {
		model := x.model(n, data, m.with(c.found()), seed, c.text())
		c.validate = x.validate(model, score)
		t.candidates = append(t.candidates, c)
	}
	x.tries = append(x.tries, t)
}

// candidates are all combinations, the last name in order changing fastest.
func (s *Search) candidates() []candidate {
	all := []candidate{{set: Settings{}, training: Settings{}}}
	for _, axis := range []struct {
		values map[string][]any
		in     func(*candidate) *Settings
	}{{s.Training, func(c *candidate) *Settings { return &c.training }}, {s.Set, func(c *candidate) *Settings { return &c.set }}} {
		for _, name := range slices.Sorted(maps.Keys(axis.values)) {
			var more []candidate
			for _, c := range all {
				for _, v := range axis.values[name] {
					next := candidate{set: maps.Clone(c.set), training: maps.Clone(c.training)}
					(*axis.in(&next))[name] = v
					more = append(more, next)
				}
			}
			all = more
		}
	}
	return all
}

// add returns the part, or the equal one that there is.
func (x *expansion) add(p *Part, identity map[string]any) *Part {
	p.Digest = digestOf(identity)
	return x.place(p, p.Digest)
}

// place puts a part into the folder that a digest names, unless one is there.
func (x *expansion) place(p *Part, digest string) *Part {
	if same, ok := x.known[digest]; ok {
		return same
	}
	p.folder = filepath.Join(x.folder, "parts", string(p.Kind)+"-"+digest[:short])
	x.known[digest] = p
	x.parts = append(x.parts, p)
	return p
}

// model adds the training of a network and its export, and returns the latter.
func (x *expansion) model(n Network, data string, m Method, seed uint64, tried string) *Part {
	s := x.sources[data]
	settings := x.plan.Training.over(n.Training, s.Training, m.Training)
	train := &Part{Kind: Train, Network: n.Name, Data: data, Method: m.Name, Seed: seed, Candidate: tried, source: s, program: trainProgram}
	files := map[string]string{}
	var pretrained string
	switch {
	case m.From != "":
		parent := combination{n.Name, data, m.From}
		train.from = x.trained[run{parent, seed}]
		if train.from == nil { // a seed that is of searches alone
			train.from = x.model(n, data, x.plan.method(m.From).with(x.found[parent]), seed, "").needs
		}
		pretrained = train.from.path(bestCheckpoint)
	case s.preset != nil && s.Pretrained != "":
		pretrained = s.Pretrained
	}
	if pretrained != "" {
		settings = settings.over(Settings{"pretrained": pretrained})
	}
	for _, key := range fileKeys {
		if path, ok := settings[key].(string); ok && path != notPretrained && !(key == "pretrained" && train.from != nil) {
			files[key] = x.files.of(path)
		}
	}
	if s.Classes != "" {
		files["classes"] = x.files.of(s.Classes)
	}
	train.args = trainArgs(s, m, settings, seed)
	sets := map[string]string{"train": s.train.digest, "val": s.val.digest}
	if m.exposed() {
		sets["outliers"] = s.exposed.digest
	}
	for key := range files { // are known by their content
		delete(settings, key)
	}
	identity := map[string]any{"kind": Train, "method": m.Method, "set": m.Set, "settings": settings, "seed": seed, "files": files, "images": sets}
	if train.from != nil {
		delete(settings, "pretrained")
		identity["from"] = train.from.Digest
	}
	if s.preset != nil {
		identity["preset"] = published(s.preset, m, settings)
	}
	train.Images = s.train.count * epochs(s, m, settings)
	train = x.add(train, identity)
	model := &Part{Kind: Export, Network: n.Name, Data: data, Method: m.Name, Seed: seed, Candidate: tried, source: s, needs: train, program: exportProgram, Images: s.val.count}
	model.args = exportArgs(model)
	identity = map[string]any{"kind": Export, "train": train.Digest, "val": s.val.digest}
	if bank := x.plan.Evaluation.Bank; bank > 0 { // of training images, if the score learns
		identity["bank"] = bank
	}
	return x.add(model, identity)
}

// published is what a preset says of a training.
func published(p *presets.Preset, m Method, settings Settings) map[string]any {
	of := map[string]any{}
	if _, err := p.Configure(&of, choice(m, settings)); err != nil {
		return nil // ascood-train says why
	}
	return of
}

func choice(m Method, settings Settings) presets.Choice {
	word := func(key string) string { w, _ := settings[key].(string); return w }
	return presets.Choice{Method: m.Method, OODType: word("ood_type"), Pixels: word("pixels")}
}

// validate adds the evaluation of a candidate.
func (x *expansion) validate(model *Part, score string) *Part {
	p := &Part{Kind: Validate, Network: model.Network, Data: model.Data, Method: model.Method, Seed: model.Seed, Candidate: model.Candidate, source: model.source, needs: model, scores: []string{score}, program: evalProgram}
	s := p.source
	p.Images = s.val.count + s.valOOD.count
	identity := map[string]any{"kind": Validate, "model": model.Digest, "score": score, "val": s.val.digest, "ood_val": s.valOOD.digest, "train": s.train.digest, "evaluation": x.plan.Evaluation}
	return x.add(p, identity)
}

// evaluate adds the evaluation of a model, by the method's scores besides those that there
// are already. Its folder is that of all evaluations of the model on these images:
// ascood-eval keeps scores, and uses them again.
func (x *expansion) evaluate(model *Part, m Method) *Part {
	p := &Part{Kind: Evaluate, Network: model.Network, Data: model.Data, Method: m.Name, Seed: model.Seed, source: model.source, needs: model, program: evalProgram}
	s := p.source
	sets := []string{s.test.digest, s.val.digest, s.valOOD.digest, s.train.digest}
	p.Images = s.test.count
	for _, set := range s.ood() {
		sets, p.Images = append(sets, set.name, set.digest), p.Images+set.count
	}
	identity := map[string]any{"kind": Evaluate, "model": model.Digest, "sets": sets}
	p = x.place(p, digestOf(identity))
	for _, name := range x.plan.scores(m) {
		if score, err := s.resolved(name); err == nil && !slices.Contains(p.scores, score) {
			p.scores = append(p.scores, score)
		}
	}
	identity["scores"], identity["evaluation"] = p.scores, x.plan.Evaluation
	p.Digest = digestOf(identity)
	return p
}

// defaultEpochs are those of a training that names none.
const defaultEpochs = 100

// epochs are how many times a training goes through its images.
func epochs(s *source, m Method, settings Settings) int {
	for _, v := range []any{settings["epochs"], presetValue(s, m, settings, "epochs")} {
		if n, err := strconv.Atoi(text(v)); err == nil {
			return n
		}
	}
	return defaultEpochs
}

func presetValue(s *source, m Method, settings Settings, key string) any {
	if s.preset == nil {
		return nil
	}
	return published(s.preset, m, settings)[key]
}
