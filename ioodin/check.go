package ioodin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/check"
	"github.com/ascood/ascood/internal/gpu"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// deviceCheck compares a device with the CPU on an artifact.
type deviceCheck struct {
	model   *onnx.ModelProto
	info    *artifact.Metadata
	options Options
	score   artifact.Score
	device  ascood.Device
	images  [][]uint8 // fixed ones
	report  *check.Report
}

// CheckDevice reports whether a device computes what the CPU does: what there is of
// all that it needs, where each node of the artifact's graph runs there, how far its
// results are from the CPU's on fixed images and on those of data, which may be nil,
// and how fast both are. opt names the device and the score; on a GPU, TF32 is looked at
// too. A report with faults is no error.
func CheckDevice(ctx context.Context, m *onnx.ModelProto, d *artifact.Metadata, opt Options, data dataset.Dataset) (*check.Report, error) {
	model, err := New(m, d, cpuOnly(opt)) // whatever is wrong with the artifact is an error
	if err != nil {
		return nil, err
	}
	defer model.Close()
	c := &deviceCheck{model: m, info: d, options: opt, score: model.score, report: &check.Report{}}
	if c.device, err = c.chosen(); err != nil {
		return nil, err
	}
	if ok, err := c.found(); !ok {
		return c.report, err
	}
	c.images = fixedImages(64, d.Preprocess.ImageSize)
	for _, part := range []func() error{
		c.placed,
		func() error { return c.agrees(ctx, data, float32Limits) },
		func() error { return c.agrees(ctx, data, tf32Limits) },
		func() error { return c.speed(ctx) },
	} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return c.report, nil
}

// cpuOnly returns the options for the CPU.
func cpuOnly(opt Options) Options {
	return Options{Threads: opt.Threads, Score: opt.Score, batchSizes: opt.batchSizes}
}

// chosen returns the device to check: what "auto" takes, if that was asked for.
func (c *deviceCheck) chosen() (ascood.Device, error) {
	if !c.options.Device.IsAuto() {
		return c.options.Device, nil
	}
	m, err := New(c.model, c.info, c.options)
	if err != nil {
		return ascood.Device{}, err
	}
	defer m.Close()
	return m.Device(), nil
}

// found reports what there is of all that the device needs, and whether that is all.
func (c *deviceCheck) found() (bool, error) {
	s := c.report.Section("found")
	parts, err := ort.Inspect(c.device)
	if err != nil {
		return false, err
	}
	for _, p := range parts {
		if p.Fault == "" {
			s.Fact(p.Name, p.Found)
			continue
		}
		if p.Found == "" {
			p.Found = "MISSING"
		}
		s.Fault(p.Name, p.Found, p.Fault)
	}
	s.Fact("model", fmt.Sprintf("%s (%s, %d classes, %d pixels)", c.info.Name, c.info.Arch, len(c.info.Classes), c.info.Preprocess.ImageSize))
	s.Fact("score", c.score.String())
	return c.report.Err() == nil, nil
}

// placed reports whether all nodes of the score's graph run on the device.
func (c *deviceCheck) placed() error {
	part, err := scoring(c.model, c.info, c.score)
	if err != nil {
		return err
	}
	nodes, err := ort.Profile(part, c.sessionOptions(), 8)
	if err != nil {
		return err
	}
	var elsewhere []string
	copies := 0
	for _, n := range nodes {
		if !n.OnDevice(c.device) {
			elsewhere = append(elsewhere, fmt.Sprintf("%s %s", n.Op, n.Name))
		}
		if n.Copies() {
			copies++
		}
	}
	s := c.report.Section("nodes of the score's graph, for 8 images")
	s.AtLeast("on "+c.device.String(), float64(len(nodes)-len(elsewhere)), float64(len(nodes)))
	for _, name := range elsewhere {
		s.Fault("elsewhere", name, name+" does not run on "+c.device.String())
	}
	s.AtMost("that copy between GPU and CPU", float64(copies), 0)
	for _, n := range nodes[:min(5, len(nodes))] {
		s.Number(fmt.Sprintf("slow: %s %s", n.Op, n.Name), float64(n.Time.Microseconds()), "µs")
	}
	return nil
}

func (c *deviceCheck) sessionOptions() ort.Options {
	return ort.Options{Device: c.device, Threads: c.options.Threads, GPUMemory: c.options.GPUMemory, Own: true}
}

// memory returns how much of the GPU is free; known is false on a CPU.
func (c *deviceCheck) memory() (bytes int64, known bool) {
	if !c.device.IsCUDA() {
		return 0, false
	}
	bytes, err := gpu.Available(c.device.Index())
	return bytes, err == nil
}

// fixedImages returns n images that are the same everywhere: coloured squares of 1, 2,
// 4, … pixels with more or less contrast.
func fixedImages(n, size int) [][]uint8 {
	random := rand.New(rand.NewPCG(1, 2))
	images := make([][]uint8, n)
	for i := range images {
		side := 1 << (i % 6)
		contrast := 0.2 + 0.8*random.Float64()
		across := (size + side - 1) / side
		colours := make([]uint8, across*across*3)
		for k := range colours {
			colours[k] = uint8(127.5 + contrast*(255*random.Float64()-127.5))
		}
		pixels := make([]uint8, 0, size*size*3)
		for y := range size {
			for x := range size {
				at := (y/side*across + x/side) * 3
				pixels = append(pixels, colours[at:at+3]...)
			}
		}
		images[i] = pixels
	}
	return images
}

// has reports whether the artifact's graph has an output.
func (c *deviceCheck) has(output string) bool {
	return slices.ContainsFunc(c.model.Graph.Output, func(v *onnx.ValueInfoProto) bool { return v.Name == output })
}
