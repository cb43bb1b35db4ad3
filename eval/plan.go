package eval

import (
	"slices"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/posthoc"
)

// run is an evaluation of the graph at one temperature and noise.
type run struct {
	temperature, noise float64
	values             []string
	methods            []int // that it is for
	gradient           int   // the earlier run that computes the gradient, -1 for none
}

// plan returns the runs that the methods need, one for each temperature and
// noise. The first is for all methods that take only logits and features, too.
// Runs that differ by the noise alone, as those of a search, share the gradient,
// which a run before them computes.
func plan(methods []Entry) []run {
	p := planner{runs: []run{{values: []string{artifact.Logits, artifact.Feature}, gradient: -1}}}
	for i, m := range methods {
		needs := m.Needs()
		at := 0
		switch {
		case needs.Temperature == 0:
		case severalNoises(methods, needs.Temperature):
			gradient := p.find(func(r run) bool { return r.gradient < 0 && r.temperature == needs.Temperature }, needs, -1)
			p.add(gradient, artifact.Gradient)
			at = p.find(func(r run) bool { return r.gradient == gradient && r.noise == needs.Noise }, needs, gradient)
		default:
			at = p.find(func(r run) bool { return r.temperature == needs.Temperature }, needs, -1)
		}
		p.add(at, needs.Graph...)
		p.runs[at].methods = append(p.runs[at].methods, i)
	}
	return p.runs
}

// severalNoises reports whether methods differ by the noise at a temperature.
func severalNoises(methods []Entry, temperature float64) bool {
	noise, found := 0.0, false
	for _, m := range methods {
		needs := m.Needs()
		if needs.Temperature != temperature {
			continue
		}
		if found && needs.Noise != noise {
			return true
		}
		noise, found = needs.Noise, true
	}
	return false
}

// planner makes a plan.
type planner struct {
	runs    []run
	settled bool // the first run has a temperature
}

// find returns the index of the run that suits, of a new one if none does. The
// first run suits whatever has no gradient, until it has a temperature.
func (p *planner) find(suits func(run) bool, needs posthoc.Needs, gradient int) int {
	if gradient < 0 && !p.settled {
		p.runs[0].temperature, p.runs[0].noise, p.settled = needs.Temperature, needs.Noise, true
		return 0
	}
	if at := slices.IndexFunc(p.runs, suits); at >= 0 {
		return at
	}
	p.runs = append(p.runs, run{temperature: needs.Temperature, noise: needs.Noise, gradient: gradient})
	return len(p.runs) - 1
}

// add makes a run compute values.
func (p *planner) add(at int, values ...string) {
	for _, v := range values {
		if !slices.Contains(p.runs[at].values, v) {
			p.runs[at].values = append(p.runs[at].values, v)
		}
	}
}
