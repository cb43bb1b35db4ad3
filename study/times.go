package study

import (
	"fmt"
	"slices"
	"time"
)

// estimate is a time that parts will take.
type estimate struct {
	seconds  float64
	unknown  int // parts that there is nothing to judge from
	borrowed int // parts that are judged from a probe, or from those of other methods or kinds
}

func (e estimate) String() string {
	text := seconds(e.seconds).String()
	if e.borrowed > 0 {
		text = "about " + text
	}
	if e.unknown > 0 {
		return fmt.Sprintf("%s and %s of unknown length", text, count(e.unknown, "part"))
	}
	return text
}

// seconds is a time for people.
func seconds(s float64) time.Duration {
	d := time.Duration(s * float64(time.Second))
	if d > time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(100 * time.Millisecond)
}

// times are those of measured parts, in seconds for an image that is gone through.
type times struct {
	own    map[likeness][]float64 // of parts with the same network, data and method
	others map[likeness][]float64 // of parts with the same network and data
	probes map[likeness]float64   // of a few images
}

// likeness is what parts have in common that take as long for an image.
type likeness struct {
	kind Kind
	combination
}

func (p *Part) likeness() likeness { return likeness{p.Kind, combination{p.Network, p.Data, p.Method}} }

func (l likeness) ofAnyMethod() likeness {
	l.method = ""
	return l
}

// timesOf are the times of the parts that are done.
func (s *Study) timesOf() times {
	t := times{map[likeness][]float64{}, map[likeness][]float64{}, s.probes}
	for _, p := range s.x.parts {
		if d, ok := p.done(); ok && d.Digest == p.Digest && d.Images > 0 {
			t.add(p.likeness(), d.Seconds/float64(d.Images))
		}
	}
	return t
}

func (t times) add(l likeness, perImage float64) {
	t.own[l] = append(t.own[l], perImage)
	t.others[l.ofAnyMethod()] = append(t.others[l.ofAnyMethod()], perImage)
}

// of estimates a part: by the median of those of its network, data and method or, for want
// of such, by a probe, or by those of its network and data. An image that is scored takes
// about as long as one that is trained on: two forward passes and a gradient, in place of
// one and the gradient of all weights.
func (t times) of(p *Part) estimate {
	if own := t.own[p.likeness()]; len(own) > 0 {
		return estimate{seconds: median(own) * float64(p.Images)}
	}
	if perImage, ok := t.probes[p.likeness()]; ok {
		return estimate{seconds: perImage * float64(p.Images), borrowed: 1}
	}
	if others := t.others[p.likeness().ofAnyMethod()]; len(others) > 0 {
		return estimate{seconds: median(others) * float64(p.Images), borrowed: 1}
	}
	if p.Kind != Train {
		trained := *p
		trained.Kind = Train
		e := t.of(&trained)
		e.borrowed = 1 - e.unknown
		return e
	}
	return estimate{unknown: 1}
}

// total is the time that parts take, so many of them at once.
func (t times) total(parts []*Part, jobs int) (all estimate) {
	for _, p := range parts {
		e := t.of(p)
		all.seconds += e.seconds / float64(jobs)
		all.unknown += e.unknown
		all.borrowed += e.borrowed
	}
	return all
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
