package posthoc

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// Observation is what a method learns from besides logits and features: some numbers of
// each image, which a part of the graph computes as it does scores. As a Method it is only
// what it needs and emits.
type Observation struct {
	Name    string // the same for all methods that learn from the same
	ValidID bool   // of the validation images, else of the training images

	graph []string             // as in Needs
	emit  func(p *Part) string // float64 [N,K]
}

// Needs says which values it is computed from.
func (o Observation) Needs() Needs { return Needs{Graph: o.graph} }

// Fit does nothing.
func (o Observation) Fit(*Data) error { return nil }

// Emit writes the numbers into a graph: float64 [N,K].
func (o Observation) Emit(p *Part) string { return o.emit(p) }

// observer is a method that learns from an Observation.
type observer interface {
	observation(d *Data) Observation
}

// Observations are what a method learns from besides logits and features; d need have
// nothing but the network.
func Observations(m Method, d *Data) []Observation {
	if c, ok := m.(*Combined); ok {
		var all []Observation
		for _, part := range c.Parts {
			all = append(all, Observations(part, d)...)
		}
		return all
	}
	if o, ok := m.(observer); ok {
		return []Observation{o.observation(d)}
	}
	return nil
}

// Watcher computes an Observation. Close it when all images are seen.
type Watcher struct{ group }

// NewWatcher opens an observation's part: on the device if it has some of the network in it.
func NewWatcher(o Observation, device ascood.Device) (*Watcher, error) {
	w := &Watcher{group{at: []int{0}}}
	return w, w.open([]Method{o}, device, onnx.Batch, "K")
}

// Close frees the part.
func (w *Watcher) Close() error { return w.session.Close() }

// Observe returns the numbers of each image, [N,K], rounded to float32.
func (w *Watcher) Observe(b *Batch) (Matrix, error) {
	pieces := w.divide(b)
	seen := make([]ort.Value, len(pieces))
	err := w.run(pieces, nil, func(i int, out map[string]ort.Value) { seen[i] = out[w.outputs[0]] })
	if err != nil {
		return Matrix{}, err
	}
	var all Matrix
	for _, v := range seen {
		all.Cols = v.Shape[1]
		for _, x := range v.Doubles() {
			all.Data = append(all.Data, float32(x))
		}
	}
	return all, nil
}
