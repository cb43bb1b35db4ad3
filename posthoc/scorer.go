package posthoc

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// Scorer scores images by fitted methods: it runs the parts that they write. Close it
// when they are scored.
type Scorer struct {
	methods int
	groups  []*group
}

// group are methods whose parts are one graph, because they compare with the same bank,
// or with none.
type group struct {
	bank    Bank  // nil for none
	at      []int // indices of the methods
	outputs []string
	inputs  []string // of the network's values
	banked  []string // of the bank's
	merges  []merge
	session *ort.Session
}

// NewScorer opens the parts of fitted methods: on the device if they have some of the
// network in them.
func NewScorer(methods []Method, device ascood.Device) (*Scorer, error) {
	s := &Scorer{methods: len(methods)}
	byBank := map[Bank]*group{}
	for i, m := range methods {
		var bank Bank
		if c, ok := m.(comparer); ok {
			bank = c.compared()
		}
		g, ok := byBank[bank]
		if !ok {
			g = &group{bank: bank}
			byBank[bank] = g
			s.groups = append(s.groups, g)
		}
		g.at = append(g.at, i)
	}
	for _, g := range s.groups {
		if err := g.open(methods, device, onnx.Batch); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close frees the parts.
func (s *Scorer) Close() {
	for _, g := range s.groups {
		if g.session != nil {
			g.session.Close()
		}
	}
}

// open writes the methods' parts into a graph whose inputs are what they take, and whose
// outputs have the dimensions given.
func (g *group) open(methods []Method, device ascood.Device, dims ...any) error {
	b := onnx.NewBuilder("score")
	p := &Part{Builder: b, shared: map[any]string{}, merges: &g.merges}
	p.value = func(name string, dims ...any) string {
		return p.share("value "+name, func() string {
			g.inputs = append(g.inputs, name)
			return b.Input(name, "", elementType(name == artifact.OwnScore), append([]any{onnx.Batch}, dims...)...)
		})
	}
	p.banked = func(name string, dims ...any) string {
		return p.share("value "+name, func() string {
			g.banked = append(g.banked, name)
			return b.Input(name, "", onnx.TensorProto_FLOAT, append([]any{"R"}, dims...)...)
		})
	}
	for _, i := range g.at {
		b.Scope(fmt.Sprintf("%d/", i))
		g.outputs = append(g.outputs, methods[i].Emit(p))
	}
	for _, name := range g.kept() {
		b.Output(name, "", onnx.TensorProto_DOUBLE, dims...)
	}
	for _, m := range g.merges {
		b.Output(m.out, "", elementType(m.double), onnx.Batch, m.width)
	}
	graph, err := b.Model("ascood", "1")
	if err != nil {
		return err
	}
	// Images are scored on all cores, some on each: the threads need not wait for each
	// other, and what an operator leaves for the next stays in the caches.
	opt := ort.Options{Threads: 1}
	if p.resumed {
		opt.Device = device
	}
	g.session, err = ort.Open(graph, opt)
	return err
}

// kept are the outputs, each once: two methods may be the same.
func (g *group) kept() []string { return slices.Compact(slices.Sorted(slices.Values(g.outputs))) }

// Score returns the scores of each method, or its error. Memory does not grow with the
// banks, and each is gone through once.
func (s *Scorer) Score(b *Batch) (scores [][]float64, errs []error) {
	scores, errs = make([][]float64, s.methods), make([]error, s.methods)
	for _, g := range s.groups {
		all, err := g.score(b)
		for k, i := range g.at {
			if errs[i] = err; err == nil {
				scores[i] = all[k]
			}
		}
	}
	return scores, errs
}

// together is how many images are in a graph at once.
const together = 128

// some are images that are scored together.
type some struct {
	from, to int
	values   map[string]ort.Value // of the network, and what is kept of the bank so far
}

func (g *group) score(b *Batch) ([][]float64, error) {
	scores := make([][]float64, len(g.at))
	for k := range scores {
		scores[k] = make([]float64, b.Len())
	}
	pieces := g.divide(b)
	note := func(i int, out map[string]ort.Value) {
		for k, name := range g.outputs {
			copy(scores[k][pieces[i].from:pieces[i].to], out[name].Doubles())
		}
	}
	if g.bank == nil {
		return scores, g.run(pieces, nil, note)
	}
	for block, err := range g.bank.Blocks() {
		if err != nil {
			return nil, err
		}
		rows := map[string]ort.Value{}
		for _, name := range g.banked {
			m := banked(name, block)
			rows[name] = ort.Value{Shape: []int{m.Rows(), m.Cols}, Data: m.Data}
			if name == bankEnergy {
				rows[name] = ort.Value{Shape: []int{m.Rows()}, Data: m.Data}
			}
		}
		if err := g.run(pieces, rows, note); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// divide cuts a batch into images that are scored together.
func (g *group) divide(b *Batch) []some {
	var pieces []some
	for from := 0; from < b.Len(); from += together {
		part := some{from, min(from+together, b.Len()), map[string]ort.Value{}}
		for _, name := range g.inputs {
			part.values[name] = b.value(name, part.from, part.to)
		}
		for _, m := range g.merges {
			n := (part.to - part.from) * m.width
			v := ort.Value{Shape: []int{part.to - part.from, m.width}, Data: slices.Repeat([]float32{m.start}, n)}
			if m.double {
				v.Data = slices.Repeat([]float64{float64(m.start)}, n)
			}
			part.values[m.in] = v
		}
		pieces = append(pieces, part)
	}
	return pieces
}

// run runs the graph on all images, and a block of the bank if there is one. note takes
// what it says of each piece.
func (g *group) run(pieces []some, rows map[string]ort.Value, note func(i int, out map[string]ort.Value)) error {
	var failed atomic.Pointer[error]
	parallel(len(pieces), func(i int) {
		inputs := pieces[i].values
		for name, v := range rows {
			inputs[name] = v
		}
		out, err := g.session.Run(inputs)
		if err != nil {
			failed.CompareAndSwap(nil, &err)
			return
		}
		for _, m := range g.merges {
			inputs[m.in] = out[m.out]
		}
		note(i, out)
	})
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
