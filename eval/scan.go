package eval

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval/features"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/posthoc"
)

// Entry is a post-hoc method with its name.
type Entry struct {
	Name string
	posthoc.Method
}

// ScanOptions says how a dataset is gone through.
type ScanOptions struct {
	BatchSize int         // images in the network at once; 0 is ioodin.DefaultBatchSize's
	Done      func(n int) // called with the number of images just done; may be nil
	// Broken is told why an image cannot be loaded, which is passed over then. If it is
	// nil, such an image is an error.
	Broken func(err error)
}

// batch is what the network says of some images of a dataset.
type batch struct {
	indices []int // in the dataset
	posthoc.Batch
	values []map[string]posthoc.Tensor // of each run
}

// batchSize is how many images to take at once unless told.
func (n *Network) batchSize() int {
	return ioodin.DefaultBatchSize(n.opt.Device, n.meta.Preprocess.ImageSize, n.opt.Threads)
}

// scan takes a dataset through the network, every run for each batch of images:
// they are decoded once, in parallel with the runs. Logits and features that are
// not finite are an error, as is a dataset without an image that can be loaded.
func (n *Network) scan(ctx context.Context, d dataset.Dataset, runs []run, opt ScanOptions) iter.Seq2[batch, error] {
	load := dataset.LoadOptions{Config: n.meta.Preprocess, BatchSize: opt.BatchSize, KeepGoing: opt.Broken != nil}
	if load.BatchSize == 0 {
		load.BatchSize = n.batchSize()
	}
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	return func(yield func(batch, error) bool) {
		if d.Len() == 0 {
			yield(batch{}, ascood.Errorf(ascood.Invalid, "there are no images"))
			return
		}
		sound := 0
		for images, err := range dataset.Batches(ctx, d, order, load) {
			all := len(images.Indices)
			if err == nil && opt.Broken != nil {
				images = passOver(images, opt.Broken)
			}
			var b batch
			if err == nil && len(images.Indices) > 0 {
				b, err = n.evaluate(ctx, d, images, runs)
			}
			if (err != nil || len(b.indices) > 0) && (!yield(b, err) || err != nil) {
				return
			}
			if sound += len(b.indices); opt.Done != nil {
				opt.Done(all)
			}
		}
		if sound == 0 {
			yield(batch{}, ascood.Errorf(ascood.Invalid, "none of the %d images can be loaded", d.Len()))
		}
	}
}

// passOver returns a batch without the images that could not be loaded, and tells of
// them.
func passOver(b dataset.Batch, tell func(error)) dataset.Batch {
	for _, err := range b.Errs {
		if err != nil {
			tell(err)
		}
	}
	return b.Sound()
}

func (n *Network) evaluate(ctx context.Context, d dataset.Dataset, images dataset.Batch, runs []run) (batch, error) {
	b := batch{indices: slices.Clone(images.Indices)}
	for k, r := range runs {
		in, from := ioodin.Inputs{Pixels: images.Pixels, Temperature: r.temperature, Noise: r.noise}, ""
		if r.gradient >= 0 {
			from = artifact.Gradient
			in.Value = ioodin.Tensor(b.values[r.gradient][from])
		}
		g, err := n.graph(from, r.values)
		if err != nil {
			return b, err
		}
		out, err := g.Run(ctx, in)
		if err != nil {
			return b, err
		}
		if k == 0 {
			b.Logits, b.Feature = matrix(out[artifact.Logits]), matrix(out[artifact.Feature])
		}
		values := map[string]posthoc.Tensor{}
		for name, t := range out {
			values[name] = posthoc.Tensor(t)
		}
		b.values = append(b.values, values)
	}
	for i, index := range b.indices {
		if !finite(b.Logits.Row(i)) || !finite(b.Feature.Row(i)) {
			return b, ascood.Errorf(ascood.Invalid, "%s: the network's logits or features are not finite: its weights are damaged", d.Name(index))
		}
	}
	return b, nil
}

func finite(v []float32) bool {
	return !slices.ContainsFunc(v, func(x float32) bool { return x-x != 0 })
}

// Collect writes the logits and features of a dataset's images, with their
// labels, and returns the file that holds them.
func (n *Network) Collect(ctx context.Context, d dataset.Dataset, to *features.Writer, opt ScanOptions) (*features.File, error) {
	defer to.Discard()
	for b, err := range n.scan(ctx, d, plan(nil), opt) {
		if err != nil {
			return nil, err
		}
		s := &posthoc.Set{Batch: b.Batch}
		for _, i := range b.indices {
			s.Labels = append(s.Labels, d.Label(i))
		}
		if err := to.Write(s); err != nil {
			return nil, err
		}
	}
	return to.Finish()
}

// Observe writes what an observation has of a dataset's images, in the place of their
// features, and returns the file that holds it.
func (n *Network) Observe(ctx context.Context, d dataset.Dataset, o posthoc.Observation, to *features.Writer, opt ScanOptions) (*features.File, error) {
	defer to.Discard()
	w, err := posthoc.NewWatcher(o, n.opt.Device)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	for b, err := range n.scan(ctx, d, plan([]Entry{{o.Name, o}}), opt) {
		if err != nil {
			return nil, err
		}
		b.Graph = b.values[0]
		s := &posthoc.Set{Batch: posthoc.Batch{Logits: b.Logits}}
		if s.Feature, err = w.Observe(&b.Batch); err != nil {
			return nil, err
		}
		for _, i := range b.indices {
			s.Labels = append(s.Labels, d.Label(i))
		}
		if err := to.Write(s); err != nil {
			return nil, err
		}
	}
	return to.Finish()
}

// extend appends the logits and features of b.
func extend(to *posthoc.Batch, b batch) {
	to.Logits = posthoc.Matrix{Data: append(to.Logits.Data, b.Logits.Data...), Cols: b.Logits.Cols}
	to.Feature = posthoc.Matrix{Data: append(to.Feature.Data, b.Feature.Data...), Cols: b.Feature.Cols}
}

// together is how many images methods score at once that take only logits and
// features: comparing with a large bank is reading it once for so many.
const together = 4096

// Score scores the images of a dataset with fitted methods, in one pass over
// them. Memory does not grow with their number, but for the scores. A method that
// fails does not hold up the others: its scores are empty, and the error says why.
func (n *Network) Score(ctx context.Context, d dataset.Dataset, methods []Entry, opt ScanOptions) ([]Scores, error) {
	return scored(methods, func(parts []Entry) ([]Scores, error) { return n.score(ctx, d, parts, opt) })
}

func (n *Network) score(ctx context.Context, d dataset.Dataset, methods []Entry, opt ScanOptions) ([]Scores, error) {
	runs := plan(methods)
	var sound []int
	p, err := newPass(methods, runs, n.opt.Device, func(i int) string { return d.Name(sound[i]) })
	if err != nil {
		return nil, err
	}
	defer p.close()
	for b, err := range n.scan(ctx, d, runs, opt) {
		if err != nil {
			return nil, err
		}
		sound = append(sound, b.indices...)
		for k, values := range b.values {
			b.Graph = values
			p.score(k, &b.Batch)
		}
		p.keep(b)
	}
	p.flush()
	scores, err := p.results()
	broken := missingIn(sound, d.Len())
	for i := range scores {
		scores[i].Broken = broken
	}
	return scores, err
}

// missingIn returns what of 0 … n-1 is not in sorted numbers.
func missingIn(sorted []int, n int) []int {
	var missing []int
	for i := range n {
		if len(sorted) > 0 && sorted[0] == i {
			sorted = sorted[1:]
		} else {
			missing = append(missing, i)
		}
	}
	return missing
}

// ScoreSet scores images of d whose logits and features have been collected, as Score
// does. The methods must need nothing else.
func ScoreSet(s *posthoc.Set, d dataset.Dataset, methods []Entry, opt ScanOptions) ([]Scores, error) {
	return scored(methods, func(parts []Entry) ([]Scores, error) { return scoreSet(s, d, parts, opt) })
}

func scoreSet(s *posthoc.Set, d dataset.Dataset, methods []Entry, opt ScanOptions) ([]Scores, error) {
	p, err := newPass(methods, nil, ascood.Device{}, func(i int) string {
		if s.Logits.Rows() == d.Len() {
			return d.Name(i)
		}
		return fmt.Sprintf("image %d of those that can be loaded", i+1)
	})
	if err != nil {
		return nil, err
	}
	defer p.close()
	for from := 0; from < s.Logits.Rows(); from += together {
		to := min(from+together, s.Logits.Rows())
		p.waiting = posthoc.Batch{Logits: s.Logits.Slice(from, to), Feature: s.Feature.Slice(from, to)}
		p.flush()
		if opt.Done != nil {
			opt.Done(to - from)
		}
	}
	return p.results()
}

// Scores are the answers for a set's images, one by one.
type Scores struct {
	Values      []float64 // the method's
	Predictions []int     // the network's classes
	Broken      []int     // indices of images that could not be loaded, which are not among these; rising
}

// pass gathers the scores of a dataset's images.
type pass struct {
	methods     []Entry
	device      ascood.Device
	onImages    []scorer    // of each run, the methods that take more than logits and features
	onFeatures  scorer      // the others
	scores      [][]float64 // of each method
	failed      []error     // of each method
	predictions []int
	name        func(i int) string // of an image, counted among those that can be loaded
	waiting     posthoc.Batch      // logits and features not yet scored
}

// scorer scores by some of the methods.
type scorer struct {
	*posthoc.Scorer
	methods []int
}

func newPass(methods []Entry, runs []run, device ascood.Device, name func(i int) string) (*pass, error) {
	p := &pass{methods: methods, device: device, scores: make([][]float64, len(methods)), failed: make([]error, len(methods)), name: name}
	for _, r := range runs {
		s, err := p.open(func(i int) bool { return slices.Contains(r.methods, i) && len(methods[i].Needs().Graph) > 0 })
		p.onImages = append(p.onImages, s)
		if err != nil {
			p.close()
			return nil, err
		}
	}
	var err error
	if p.onFeatures, err = p.open(func(i int) bool { return len(methods[i].Needs().Graph) == 0 }); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// open opens the parts of the methods that are chosen.
func (p *pass) open(chosen func(i int) bool) (scorer, error) {
	var s scorer
	var some []posthoc.Method
	for i, m := range p.methods {
		if chosen(i) {
			some, s.methods = append(some, m.Method), append(s.methods, i)
		}
	}
	var err error
	s.Scorer, err = posthoc.NewScorer(some, p.device)
	return s, err
}

func (p *pass) close() {
	for _, s := range append(p.onImages, p.onFeatures) {
		if s.Scorer != nil {
			s.Close()
		}
	}
}

// results returns the scores of each method, empty ones for those that failed.
// The scores share the predictions. An end of the context is the only error then.
func (p *pass) results() ([]Scores, error) {
	for _, err := range p.failed {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
	}
	all := make([]Scores, len(p.methods))
	for i, values := range p.scores {
		if p.failed[i] == nil {
			all[i] = Scores{Values: values, Predictions: p.predictions}
		}
	}
	return all, errors.Join(p.failed...)
}

// keep holds a batch back until there are enough images to score together.
func (p *pass) keep(b batch) {
	extend(&p.waiting, b)
	if p.waiting.Logits.Rows() >= together {
		p.flush()
	}
}

// score scores what run k has computed with the methods that it is for.
func (p *pass) score(k int, b *posthoc.Batch) { p.by(p.onImages[k], b) }

func (p *pass) by(s scorer, b *posthoc.Batch) {
	scores, errs := s.Score(b)
	for k, i := range s.methods {
		p.add(i, scores[k], errs[k])
	}
}

// flush scores what waits with the methods that take only logits and features.
func (p *pass) flush() {
	if p.waiting.Logits.Rows() == 0 {
		return
	}
	p.by(p.onFeatures, &p.waiting)
	for i := range p.waiting.Logits.Rows() {
		p.predictions = append(p.predictions, p.waiting.Prediction(i))
	}
	p.waiting = posthoc.Batch{}
}

// add appends method i's scores of a batch, or notes why there are none.
func (p *pass) add(i int, scores []float64, err error) {
	if p.failed[i] != nil {
		return
	}
	name := p.methods[i].Name
	if at := slices.IndexFunc(scores, math.IsNaN); err == nil && at >= 0 {
		err = ascood.Errorf(ascood.Invalid, "it gives %s a score that is not a number", p.name(len(p.scores[i])+at))
	}
	if err != nil {
		p.failed[i] = fmt.Errorf("%s: %w", name, err)
		return
	}
	p.scores[i] = append(p.scores[i], scores...)
}
