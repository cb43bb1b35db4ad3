// Package ort runs ONNX graphs in ONNX Runtime. It alone knows that library.
package ort

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/malloc"
	"github.com/ascood/ascood/internal/sigstack"
	"github.com/ascood/ascood/onnx"
)

// batchDim is the name of the dimension of a graph that counts images.
const batchDim = "N"

// live counts the sessions that have not been closed.
var live atomic.Int64

// Live returns how many sessions are open, for tests of who holds them.
func Live() int { return int(live.Load()) }

// Session runs a graph on one device. It may be used from several goroutines at
// once.
type Session struct {
	device  ascood.Device
	options Options
	takes   []string // names of the inputs
	sizes   []int    // of the padded batches; none for a program that takes any

	inputs, outputs map[string]bool // those with a row for each image

	mu       sync.Mutex
	model    *onnx.ModelProto // for programs yet to be loaded
	programs map[int]*program // by batch size; 0 is any
}

// Open loads a graph with all its inputs and outputs. On a GPU it runs a first
// image, so that what cannot run cannot be opened. Of the devices only "auto" may
// fall back, and says so.
func Open(m *onnx.ModelProto, opt Options) (*Session, error) {
	if !opt.Device.IsAuto() {
		return openOn(m, opt.Device, opt)
	}
	s, err := openOn(m, ascood.CUDA(0), opt)
	if err == nil {
		tell(opt.Logger, "device", s.device.String())
		return s, nil
	}
	tell(opt.Logger, "device", "cpu", "because", err.Error())
	return openOn(m, ascood.Device{}, opt)
}

// told holds the loggers that know what "auto" chose.
var told sync.Map

// tell says what "auto" chose, once to each logger: a program opens many graphs.
func tell(log *slog.Logger, choice ...any) {
	if log == nil {
		return
	}
	if _, knows := told.LoadOrStore(log, true); !knows {
		log.Info("device chosen", choice...)
	}
}

func openOn(m *onnx.ModelProto, device ascood.Device, opt Options) (*Session, error) {
	library, err := loadLibrary()
	if err != nil {
		return nil, err
	}
	if device.IsCUDA() {
		if err := findCUDA(library); err != nil {
			return nil, err
		}
	}
	s := newSession(m, device, opt)
	first := 0
	if len(s.sizes) > 0 {
		first = s.sizes[0]
	}
	p, err := s.program(first)
	if err != nil {
		return nil, err
	}
	if device.IsCUDA() && !placing {
		err := try(p, onnx.WithDim(s.model, batchDim, first), device)
		sigstack.Use() // CUDA's driver has installed its handlers by now
		if err != nil {
			p.close()
			return nil, err
		}
	}
	live.Add(1)
	return s, nil
}

func newSession(m *onnx.ModelProto, device ascood.Device, opt Options) *Session {
	s := &Session{device: device, options: opt, model: m, programs: map[int]*program{}}
	for _, v := range m.Graph.Input {
		s.takes = append(s.takes, v.Name)
	}
	singly := slices.ContainsFunc(m.Graph.Input, ofOne)
	s.inputs, s.outputs = batched(m.Graph.Input, singly), batched(m.Graph.Output, singly)
	s.sizes = opt.Sizes
	if s.sizes == nil && device.IsCUDA() {
		s.sizes = paddedSizes
	}
	if singly {
		s.sizes = []int{1}
	}
	if len(s.inputs) == 0 {
		s.sizes = nil
	}
	return s
}

// program returns the graph for batches of a size, loaded when first needed.
func (s *Session) program(size int) (*program, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.programs[size]; ok {
		return p, nil
	}
	m := s.model
	if size > 0 {
		m = onnx.WithDim(m, batchDim, size)
	} else if !s.device.IsCUDA() {
		s.model = nil // there is no other size: its weights need not be in memory twice
	}
	p, err := load(m, s.device, s.options)
	if err != nil {
		return nil, err
	}
	s.programs[size] = p
	return p, nil
}

// try runs a graph on one image. Much of CUDA, cuDNN above all, is first needed then.
func try(p *program, m *onnx.ModelProto, device ascood.Device) error {
	inputs := ones(m)
	if inputs == nil {
		return nil
	}
	if _, err := p.run(inputs); err != nil {
		return ascood.Errorf(ascood.Unavailable, "try the model on %s: %w", device, err)
	}
	return nil
}

// Device returns what the session runs on.
func (s *Session) Device() ascood.Device { return s.device }

// Sizes returns the sizes that batches are padded to, ascending; none if they are run as
// they are.
func (s *Session) Sizes() []int { return slices.Clone(s.sizes) }

// Takes reports whether the graph has an input of that name.
func (s *Session) Takes(input string) bool { return slices.Contains(s.takes, input) }

// Close frees the session; it must not be used by then.
func (s *Session) Close() error {
	live.Add(-1)
	var errs []error
	for _, p := range s.programs {
		errs = append(errs, p.close())
	}
	malloc.Trim() // weights are large
	return errors.Join(errs...)
}

// Run evaluates the graph. Each of its inputs must be there by name; others are
// passed over. The outputs do not depend on whether the batch is padded or cut.
func (s *Session) Run(inputs map[string]Value) (map[string]Value, error) {
	padded := len(s.sizes) > 0
	if !padded && (s.options.Most == 0 || len(s.inputs) == 0) {
		return s.runPiece(inputs, 0)
	}
	n, err := batchSize(inputs, s.inputs)
	if err != nil {
		return nil, err
	}
	var cut []piece
	switch {
	case padded:
		cut = pieces(n, s.sizes)
	case n <= s.options.Most:
		return s.runPiece(inputs, 0)
	default:
		cut = cutAt(n, s.options.Most)
	}
	made, err := s.runPieces(inputs, cut)
	if err != nil {
		return nil, err
	}
	results := map[string]Value{}
	for i, p := range cut {
		for name, v := range made[i] {
			if s.outputs[name] {
				v = join(results[name], v, p.to-p.from)
			}
			results[name] = v
		}
	}
	return results, nil
}

// runPieces runs pieces of a batch, as many at once as there are threads: two threads
// get more done of two images than of the parts of one, as they seldom wait for each
// other. The threads are those of the session and, of each piece, the one that calls.
func (s *Session) runPieces(inputs map[string]Value, cut []piece) ([]map[string]Value, error) {
	made := make([]map[string]Value, len(cut))
	var group errgroup.Group
	group.SetLimit(s.atOnce())
	for i, p := range cut {
		group.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil { // which would end the process, past whoever recovers around Run
					err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			part := maps.Clone(inputs)
			for name := range s.inputs {
				part[name] = p.part(inputs[name])
			}
			size := 0 // any
			if len(s.sizes) > 0 {
				size = p.size
			}
			made[i], err = s.runPiece(part, size)
			return err
		})
	}
	return made, group.Wait()
}

// atOnce is how many pieces of a batch run at once.
func (s *Session) atOnce() int {
	switch {
	case s.device.IsCUDA():
		return 1 // which uses all of it
	case s.options.Threads == 0:
		return runtime.NumCPU()
	}
	return s.options.Threads
}

func (s *Session) runPiece(inputs map[string]Value, size int) (map[string]Value, error) {
	p, err := s.program(size)
	if err != nil {
		return nil, err
	}
	return p.run(inputs)
}
