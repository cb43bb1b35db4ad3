// Package importer reads the ONNX files of other programs, and turns their networks
// into the canonical form that onnx.Check describes: it runs a network once to see what
// in it does not depend on the image, rewrites the rest operator by operator, lets it
// take any number of images, and proves that it still computes what the file does.
package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Options say what a file does not.
type Options struct {
	Run       Run
	Size      int               // of the images, pixels
	Mean, Std [3]float64        // by which images are normalised, for the images of the proof
	Layout    string            // NCHW or NHWC; "" if the input's shape tells
	Channels  string            // RGB, BGR or Gray; "" is RGB
	Logits    string            // the output that is the logits; "" if there is no other
	Feature   string            // the value of the file that is the feature; "" is what the last linear layer takes
	Taps      map[string]string // names that values of the file, maps, are to be known by
	Taken     []string          // names that constants may not have
	Training  bool              // the network is to be trained: a file of its training mode is taken as it is used
}

// Network is a network in the canonical form.
type Network struct {
	Model   *onnx.ModelProto
	Image   string      // the input, float32 [N,3,Size,Size], red, green and blue, normalised
	Logits  string      // the output, float32 [N,C]
	Feature string      // float32 [N,D]; "" if there is none
	Linear  bool        // the logits are a linear layer of the feature
	Taps    [][2]string // values float32 [N,C,H,W], each with its name of Options.Taps
	Classes int
	Single  bool     // takes one image at a time
	Names   []string // of the classes, if the file says them
	Notes   []string // what the user should know
}

// Import turns a file's network into the canonical form. All that cannot be handled is
// in one error, of code ascood.Unsupported.
func Import(m *onnx.ModelProto, opt Options) (*Network, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	s, err := newSource(m, opt)
	if err != nil {
		return nil, err
	}
	net, err := s.network(s.in.batch)
	if s.in.open && (err == nil && net.Single || errors.As(err, new(rewriteError))) {
		// Networks that drop all axes of one element drop that of a single image, too.
		if two, errOfTwo := s.network(2); errOfTwo == nil && !two.Single {
			return two, nil
		}
	}
	return net, err
}

// source is what a file holds.
type source struct {
	file     *graph
	original *graph // the file's network, of an image
	in       image
	out      output
	names    []string // of the classes
	note     string   // on what was changed of the file
	opt      Options
}

func newSource(m *onnx.ModelProto, opt Options) (*source, error) {
	s := &source{names: classNames(m), opt: opt}
	if opt.Training {
		m, s.note = inUse(m)
	}
	var err error
	if s.file, err = newGraph(m); err != nil {
		return nil, err
	}
	if s.in, err = s.file.findImage(opt); err != nil {
		return nil, err
	}
	if s.out, err = s.file.findLogits(opt.Logits); err != nil {
		return nil, err
	}
	s.file.keep(opt)
	s.file.prune()
	if f := s.file.refused(); len(f.reasons) > 0 {
		f.join(s.file.odd(s.in, opt))
		return nil, f.err()
	}
	if s.file.runs() {
		s.original = s.file.asWritten(m, s.out.name).adapted(s.in, true)
		return s, nil
	}
	s.original = s.file.adapted(s.in, false)
	_, err = s.original.single()
	return s, err
}

// asWritten returns the graph that computes a value as the file has it, with calls of
// functions and with sequences; g itself for a value inside a function.
func (g *graph) asWritten(m *onnx.ModelProto, value string) *graph {
	written := *g
	written.file, written.consts = m, maps.Clone(g.consts)
	maps.Copy(written.consts, onnx.Constants(m.Graph))
	written.outputs = []*onnx.ValueInfoProto{onnx.Shapeless(value, onnx.TensorProto_FLOAT)}
	written.nodes = slices.DeleteFunc(slices.Clone(m.Graph.Node), func(n *onnx.NodeProto) bool {
		return written.consts[first(n.Output)] != nil // a constant
	})
	written.prune()
	if len(written.nodes) == 0 {
		return g
	}
	return &written
}

// network rewrites the file's network, of which so many images are looked at.
func (s *source) network(images int) (*Network, error) {
	net, in, out := &Network{Names: s.names}, s.in, s.out
	in.batch = images
	net.note(s.note)
	net.note(out.notes...)
	c, notes, err := s.file.canonical(in, s.opt)
	if err != nil {
		return nil, rewriteError{err}
	}
	net.note(notes...)
	if err := c.head(net, &out); err != nil {
		return nil, err
	}
	if err := c.find(net, s.opt); err != nil {
		return nil, err
	}
	if err := c.batch(net, in); err != nil {
		return nil, err
	}
	if s.opt.Training {
		if err := c.tied(net.Model.Graph); err != nil {
			return nil, err
		}
		net.note(copies(net.Model.Graph))
	}
	if err := net.prove(s.original, in, out, s.opt); err != nil {
		return nil, err
	}
	if err := net.counted(); err != nil {
		return nil, err
	}
	return net, onnx.Check(net.Model)
}

// rewriteError is of a graph that cannot be run or rewritten.
type rewriteError struct{ error }

func (e rewriteError) Unwrap() error { return e.error }

// canonical rewrites the file's graph, which it changes.
func (g *graph) canonical(in image, opt Options) (*canonical, []string, error) {
	var notes []string
	g.prune()
	work := g.adapted(in, false)
	if err := work.settle(); err != nil {
		return nil, nil, err
	}
	note, err := work.single()
	if err != nil {
		return nil, nil, err
	}
	if note != "" {
		notes = append(notes, note)
	}
	noise := in.noise()
	if err := work.chooseBranches(opt.Run, noise); err != nil {
		return nil, nil, err
	}
	if f := work.refused(); len(f.reasons) > 0 { // in a branch
		return nil, nil, f.err()
	}
	if err := work.observe(opt.Run, noise); err != nil {
		return nil, nil, err
	}
	c, err := work.legalise(opt.Run, noise, in.name, []int{in.batch, 3, in.size, in.size}, opt.Taken)
	return c, notes, err
}

func (opt Options) check() error {
	switch {
	case !slices.Contains([]string{"", NCHW, NHWC}, opt.Layout):
		return ascood.Errorf(ascood.Invalid, "%s %q: must be %s or %s", ascood.Field("input_layout"), opt.Layout, NCHW, NHWC)
	case !slices.Contains([]string{"", RGB, BGR, Gray}, opt.Channels):
		return ascood.Errorf(ascood.Invalid, "%s %q: must be %s, %s or %s", ascood.Field("channels"), opt.Channels, RGB, BGR, Gray)
	case opt.Channels == Gray && (uniform(opt.Mean) != nil || uniform(opt.Std) != nil):
		return ascood.Errorf(ascood.Invalid, "%s %s: %s and %s must be the same for all channels", ascood.Field("channels"), Gray, ascood.Field("mean"), ascood.Field("std"))
	}
	return nil
}

// uniform is an error if values differ.
func uniform(v [3]float64) error {
	if v[0] != v[1] || v[1] != v[2] {
		return fmt.Errorf("%v are not one value", v)
	}
	return nil
}

// odd lists the operators of a graph in forms that are not handled, as far as that shows
// where there are others that are not handled at all.
func (g *graph) odd(in image, opt Options) faults {
	work := g.adapted(in, false)
	if _, err := work.single(); err != nil {
		return faults{}
	}
	if err := work.observe(opt.Run, in.noise()); err != nil {
		return faults{}
	}
	c, _ := work.legalise(opt.Run, in.noise(), in.name, []int{in.batch, 3, in.size, in.size}, opt.Taken) // the error is of c.faults
	return c.faults
}

// refused lists the operators that are not handled, of those that depend on the image.
func (g *graph) refused() (f faults) {
	dependent := g.dependent()
	for _, n := range g.nodes {
		switch {
		case strings.HasPrefix(n.OpType, "Random") || n.OpType == "Bernoulli" || n.OpType == "Multinomial":
			f.add(n, "its values are drawn at random; export the network in evaluation mode: model.eval()")
		case !computes(n, dependent):
			// whatever it is, one run tells its value
		case !standard(n.Domain):
			f.add(n, "operators of %s are not handled; export without that runtime's optimiser", n.Domain)
		case n.OpType == "Loop" || n.OpType == "Scan":
			f.add(n, "loops are not handled; export with a fixed number of steps")
		case n.OpType == "If":
			if dependent[n.Operand(0)] {
				f.add(n, "what it does depends on the image")
			}
		case strings.Contains(n.OpType, "Linear") || strings.HasSuffix(n.OpType, "Integer"):
			f.add(n, "quantised networks have no gradient; export the one in floating point")
		case legal[n.OpType] == nil:
			f.add(n, "it has no gradient rule")
		}
	}
	return f
}

func (net *Network) note(notes ...string) {
	for _, n := range notes {
		if n != "" {
			net.Notes = append(net.Notes, n)
		}
	}
}
