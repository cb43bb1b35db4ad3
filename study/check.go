package study

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/presets"
)

// Metrics that a table can have, as OpenOOD's tables name them.
var metricNames = []string{"FPR@95", "AUROC", "AUPR_IN", "AUPR_OUT", "ACC"}

// faults is what is wrong with a plan in itself; its images, and what only the programs
// know, are looked at later.
func (p *Plan) faults() (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if len(p.Seeds) == 0 {
		say("seeds are missing: want numbers, such as [0, 1, 2]")
	}
	for i, seed := range p.Seeds {
		if slices.Contains(p.Seeds[:i], seed) {
			say("seeds has %d twice, but it makes one run", seed)
		}
	}
	if len(p.Data) == 0 {
		say("data is missing: what to train and to test on")
	}
	if len(p.Methods) == 0 {
		say("methods are missing: how to train")
	}
	all = append(all, p.names()...)
	settings := p.settings()
	for _, where := range slices.Sorted(maps.Keys(settings)) {
		all = append(all, settings[where].faults(where)...)
	}
	for _, d := range p.Data {
		all = append(all, d.faults()...)
	}
	for i, m := range p.Methods {
		all = append(all, p.methodFaults(m, p.Methods[:i])...)
	}
	return append(all, p.tableFaults()...)
}

// names: all are given, and none is given twice.
func (p *Plan) names() (all []string) {
	groups := map[string][]string{}
	for _, n := range p.Networks {
		groups["networks"] = append(groups["networks"], n.Name)
	}
	for _, d := range p.Data {
		groups["data"] = append(groups["data"], d.Name)
		for _, s := range slices.Concat(d.Near, d.Far) {
			key := "data " + d.Name
			groups[key] = append(groups[key], s.Name)
		}
	}
	for _, m := range p.Methods {
		groups["methods"] = append(groups["methods"], m.Name)
	}
	for _, where := range slices.Sorted(maps.Keys(groups)) {
		for i, name := range groups[where] {
			switch {
			case name == "":
				all = append(all, fmt.Sprintf("%s[%d]: name is missing", where, i))
			case slices.Contains(groups[where][:i], name):
				all = append(all, fmt.Sprintf("%s: the name %s is there twice", where, name))
			}
		}
	}
	return all
}

// faults names training settings that there are not, or that cannot be.
func (s Settings) faults(where string) (all []string) {
	for _, name := range s.names() {
		switch {
		case !slices.Contains(trainingKeys, name):
			all = append(all, where+": "+notAmong("training setting", name, trainingKeys))
		case !isValue(s[name]):
			all = append(all, fmt.Sprintf("%s: %s: want a number, a word, true, false or a list of these", where, name))
		}
	}
	return all
}

func (d Data) faults() (all []string) {
	say := func(format string, args ...any) {
		all = append(all, fmt.Sprintf("data "+d.Name+": "+format, args...))
	}
	lists := []struct{ key, path string }{{"train", d.Train}, {"val", d.Val}, {"test", d.Test}, {"ood_val", d.OODVal}, {"outliers", d.Outliers}, {"root", d.Root}, {"classes", d.Classes}}
	if d.Preset == "" {
		for _, list := range lists[:3] {
			if list.path == "" {
				say("%s is missing: the images for it, or a preset that has them", list.key)
			}
		}
		if len(d.Near)+len(d.Far) == 0 {
			say("near and far are missing: images of other things to tell apart")
		}
		for _, s := range slices.Concat(d.Near, d.Far) {
			switch {
			case s.Images == "":
				say("%s: images are missing", s.Name)
			case strings.ContainsAny(s.Name, `/\=`) || strings.HasPrefix(s.Name, ".") || s.Name == idSet:
				say("the name %q of a set is to name files, too: want one without slashes and =, that begins with no dot and is not %s", s.Name, idSet)
			}
		}
		if d.Pretrained != "" {
			say("pretrained is for a preset; elsewhere it is a training setting")
		}
		return all
	}
	if !slices.Contains(presets.Names(), d.Preset) {
		say("%s", notAmong("preset", d.Preset, presets.Names()))
	}
	for _, list := range lists {
		if list.path != "" {
			say("%s has no meaning beside preset, which has lists of its own", list.key)
		}
	}
	if len(d.Near)+len(d.Far) > 0 {
		say("near and far have no meaning beside preset, which has lists of its own")
	}
	return all
}

func (p *Plan) methodFaults(m Method, before []Method) (all []string) {
	say := func(format string, args ...any) {
		all = append(all, fmt.Sprintf("method "+m.Name+": "+format, args...))
	}
	if m.Method == "" {
		say("method is missing: the way to train that ascood-train --method names")
	}
	var data []string
	for _, d := range p.Data {
		data = append(data, d.Name)
	}
	for _, name := range m.Only {
		if !slices.Contains(data, name) {
			say("only: %s", notAmong("data", name, data))
		}
	}
	for _, name := range m.Set.names() {
		if !isValue(m.Set[name]) {
			say("set: %s: want a number, a word, true or false", name)
		}
	}
	if m.From != "" {
		at := slices.IndexFunc(before, func(other Method) bool { return other.Name == m.From })
		if at < 0 {
			say("from: there is no method %q before it", m.From)
		}
		for _, d := range p.Data {
			if at >= 0 && m.on(d.Name) && !before[at].on(d.Name) {
				say("from: method %s is not trained on data %s", m.From, d.Name)
			}
		}
	}
	if len(p.scores(m)) == 0 {
		say("scores are missing: the post-hoc methods to judge it by, here or in the plan")
	}
	for _, score := range p.scores(m) {
		all = append(all, p.scoreFaults(m, score)...)
	}
	for _, d := range p.Data {
		if d.Preset == "" && m.on(d.Name) && m.exposed() && d.Outliers == "" {
			say("it learns from outliers: data %s names no images of other things as outliers", d.Name)
		}
	}
	if m.Search != nil {
		all = append(all, p.searchFaults(m)...)
	}
	return all
}

// scoreFaults: a score is known and, where its settings are searched, there is what to
// search on.
func (p *Plan) scoreFaults(m Method, score string) (all []string) {
	if score != Published && !slices.Contains(posthoc.Names(), score) {
		return []string{fmt.Sprintf("method %s: %s", m.Name, notAmong("score", score, append(posthoc.Names(), Published)))}
	}
	for _, d := range p.Data {
		if !m.on(d.Name) {
			continue
		}
		name, err := d.resolved(score)
		switch {
		case err != nil:
			all = append(all, fmt.Sprintf("method %s: %v", m.Name, err))
		case d.Preset == "" && d.OODVal == "" && isSearched(name) && p.Evaluation.searches(name):
			all = append(all, fmt.Sprintf("data %s: ood_val is missing, on which the settings of %s are searched; evaluation.search false does without", d.Name, name))
		}
	}
	return all
}

// searches reports whether the settings of a score, if they can be, are searched.
func (e Evaluation) searches(score string) bool {
	return e.search() && !slices.ContainsFunc(e.Set.names(), func(name string) bool { return strings.HasPrefix(name, score+".") })
}

func (p *Plan) searchFaults(m Method) (all []string) {
	say := func(format string, args ...any) {
		all = append(all, fmt.Sprintf("method "+m.Name+": search: "+format, args...))
	}
	s := m.Search
	if len(s.Set)+len(s.Training) == 0 {
		say("names no values to try: give lists in set or training")
	}
	for _, values := range []map[string][]any{s.Set, s.Training} {
		for name, list := range values {
			if len(list) == 0 || slices.ContainsFunc(list, func(v any) bool { return !isValue(v) }) {
				say("%s: want a list of values to try", name)
			}
		}
	}
	for name := range s.Training {
		if !slices.Contains(trainingKeys, name) {
			say("%s", notAmong("training setting", name, trainingKeys))
		}
	}
	if s.Score == "" {
		say("score is missing: by which the candidates are compared on the validation images")
	} else {
		all = append(all, p.scoreFaults(m, s.Score)...)
	}
	for _, d := range p.Data {
		if m.on(d.Name) && d.Preset == "" && d.OODVal == "" {
			say("data %s has no ood_val to compare on", d.Name)
		}
	}
	return all
}

func (p *Plan) tableFaults() (all []string) {
	for _, name := range p.Table.Metrics {
		if !slices.Contains(metricNames, name) {
			all = append(all, "table: "+notAmong("metric", name, metricNames))
		}
	}
	known := []string{nearColumn, farColumn, farAllColumn}
	for _, d := range p.Data {
		for _, s := range slices.Concat(d.Near, d.Far) {
			known = append(known, s.Name)
		}
		if preset, err := presets.Load(d.Preset); err == nil {
			for _, s := range preset.Select(presets.Near, presets.Far, presets.FarExtra) {
				known = append(known, s.Name)
			}
		}
	}
	for _, name := range p.Table.Columns {
		if !slices.Contains(known, name) {
			all = append(all, "table: "+notAmong("column", name, slices.Compact(slices.Sorted(slices.Values(known)))))
		}
	}
	return all
}
