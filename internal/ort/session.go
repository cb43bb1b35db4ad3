// Package ort runs ONNX graphs in ONNX Runtime. It alone knows that library.
package ort

import (
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	runtime "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// live counts the sessions that have not been closed.
var live atomic.Int64

// Live returns how many sessions are open, for tests of who holds them.
func Live() int { return int(live.Load()) }

// Session runs a graph on one device. It may be used from several goroutines at
// once.
type Session struct {
	device          ascood.Device
	session         *runtime.DynamicAdvancedSession
	inputs, outputs []string
}

// Open loads a graph with all its inputs and outputs. Of the devices only "auto"
// may fall back, and says so.
func Open(m *onnx.ModelProto, opt Options) (*Session, error) {
	if !opt.Device.IsAuto() {
		return openOn(m, opt.Device, opt)
	}
	log := opt.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s, err := openOn(m, ascood.CUDA(0), opt)
	if err == nil {
		log.Info("device chosen", "device", s.device.String())
		return s, nil
	}
	log.Info("device chosen", "device", "cpu", "because", err.Error())
	return openOn(m, ascood.Device{}, opt)
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
	s := &Session{device: device}
	for _, v := range m.Graph.Input {
		s.inputs = append(s.inputs, v.Name)
	}
	for _, v := range m.Graph.Output {
		s.outputs = append(s.outputs, v.Name)
	}
	options, err := sessionOptions(device, opt)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	s.session, err = runtime.NewDynamicAdvancedSessionWithONNXData(data, s.inputs, s.outputs, options)
	if err != nil {
		return nil, ascood.Errorf(ascood.Unavailable, "load model on %s: %w", device, err)
	}
	live.Add(1)
	return s, nil
}

// Device returns what the session runs on.
func (s *Session) Device() ascood.Device { return s.device }

// Takes reports whether the graph has an input of that name.
func (s *Session) Takes(input string) bool { return slices.Contains(s.inputs, input) }

// Close frees the session; it must not be used by then.
func (s *Session) Close() error {
	live.Add(-1)
	return s.session.Destroy()
}

// Run evaluates the graph. Each of its inputs must be there by name; others are
// passed over.
func (s *Session) Run(inputs map[string]Value) (map[string]Value, error) {
	in := make([]runtime.Value, len(s.inputs))
	defer func() { destroy(in) }()
	for i, name := range s.inputs {
		v, ok := inputs[name]
		if !ok {
			return nil, fmt.Errorf("no value for input %q", name)
		}
		var err error
		if in[i], err = v.upload(); err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
	}
	out := make([]runtime.Value, len(s.outputs))
	if err := s.session.Run(in, out); err != nil {
		return nil, fmt.Errorf("run model: %w", err)
	}
	defer destroy(out)
	results := make(map[string]Value, len(out))
	for i, v := range out {
		var err error
		if results[s.outputs[i]], err = download(v); err != nil {
			return nil, fmt.Errorf("output %s: %w", s.outputs[i], err)
		}
	}
	return results, nil
}

func destroy(values []runtime.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}
