// Package ort runs ONNX graphs in ONNX Runtime. It alone knows that library.
package ort

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ascood/ascood"
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
	program *program
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
	p, err := load(m, device, opt)
	if err != nil {
		return nil, err
	}
	if device.IsCUDA() {
		err := try(p, m, device)
		sigstack.Use() // CUDA's driver has installed its handlers by now
		if err != nil {
			p.close()
			return nil, err
		}
	}
	live.Add(1)
	return &Session{device, p}, nil
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

// Takes reports whether the graph has an input of that name.
func (s *Session) Takes(input string) bool { return slices.Contains(s.program.inputs, input) }

// Close frees the session; it must not be used by then.
func (s *Session) Close() error {
	live.Add(-1)
	return s.program.close()
}

// Run evaluates the graph. Each of its inputs must be there by name; others are
// passed over.
func (s *Session) Run(inputs map[string]Value) (map[string]Value, error) {
	return s.program.run(inputs)
}
