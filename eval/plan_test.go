package eval

import (
	"reflect"
	"testing"

	"github.com/ascood/ascood/posthoc"
)

func TestPlan(t *testing.T) {
	at := func(name string, temperature, noise string) Entry {
		m := newMethod(t, name)
		if err := posthoc.Configure(m.Method, `{"temperature":`+temperature+`,"noise":`+noise+`}`); err != nil {
			t.Fatal(err)
		}
		return m
	}
	base := []string{"logits", "feature"}
	for name, c := range map[string]struct {
		methods []Entry
		want    []run
	}{
		"nothing": {nil, []run{{values: base, gradient: -1}}},
		"logits and maps": {
			[]Entry{newMethod(t, "msp"), newMethod(t, "rankfeat")},
			[]run{{values: []string{"logits", "feature", "layer3", "layer4"}, methods: []int{0, 1}, gradient: -1}},
		},
		"one noise a temperature": {
			[]Entry{newMethod(t, "msp"), at("odin", "10", "0.1"), at("iodin", "10", "0.1"), at("iodin", "1", "0.2")},
			[]run{
				{10, 0.1, []string{"logits", "feature", "odin", "iodin"}, []int{0, 1, 2}, -1},
				{1, 0.2, []string{"iodin"}, []int{3}, -1},
			},
		},
		"a search": {
			[]Entry{at("iodin", "1", "0.1"), at("iodin", "1", "0.2"), at("odin", "1", "0.1"), at("iodin", "10", "0.1"), at("iodin", "10", "0.2")},
			[]run{
				{1, 0.1, []string{"logits", "feature", "gradient"}, nil, -1},
				{1, 0.1, []string{"iodin", "odin"}, []int{0, 2}, 0},
				{1, 0.2, []string{"iodin"}, []int{1}, 0},
				{10, 0.1, []string{"gradient"}, nil, -1},
				{10, 0.1, []string{"iodin"}, []int{3}, 3},
				{10, 0.2, []string{"iodin"}, []int{4}, 3},
			},
		},
	} {
		if got := plan(c.methods); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: plan\n%+v, want\n%+v", name, got, c.want)
		}
	}
}

// TestSharedGradient compares scores whose runs share a gradient with scores that
// are computed alone.
func TestSharedGradient(t *testing.T) {
	n, images := openNetwork(t), openImages(t, "val_id")
	var sweep []Entry
	for _, name := range []string{"iodin", "odin"} {
		for _, m := range posthoc.Sweep(name)[5:9] { // two temperatures
			sweep = append(sweep, Entry{name, m})
		}
	}
	together, err := n.Score(t.Context(), images, sweep, ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range sweep {
		alone, err := n.Score(t.Context(), images, []Entry{m}, ScanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(alone[0], together[i]) {
			t.Errorf("%s %+v scores differently beside others", m.Name, m.Method)
		}
	}
}
