package ort

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Node is one of a graph's nodes, after ONNX Runtime has rewritten the graph for a
// device.
type Node struct {
	Name, Op string
	Provider string        // that ran it
	Time     time.Duration // of its fastest run; on a GPU, until it was under way there
}

// Copies reports whether the node moves a value between GPU and CPU.
func (n Node) Copies() bool { return strings.HasPrefix(n.Op, "Memcpy") }

// OnDevice reports whether the node ran where it should.
func (n Node) OnDevice(device ascood.Device) bool {
	return strings.HasPrefix(n.Provider, "CUDA") == device.IsCUDA()
}

// Profile runs a graph three times on batches of a size and returns its nodes, the
// slowest first.
func Profile(m *onnx.ModelProto, opt Options, size int) ([]Node, error) {
	if _, err := loadLibrary(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ascood-profile-*")
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	defer os.RemoveAll(dir)
	opt.profile = filepath.Join(dir, "profile")
	m = onnx.WithDim(m, batchDim, size)
	p, err := load(m, opt.Device, opt)
	if err != nil {
		return nil, err
	}
	for range 3 {
		if _, err = p.run(noise(ones(m))); err != nil {
			break
		}
	}
	if closed := p.close(); err == nil {
		err = closed // the file is written now
	}
	if err != nil {
		return nil, err
	}
	files, _ := filepath.Glob(opt.profile + "*")
	if len(files) != 1 {
		return nil, fmt.Errorf("profile: ONNX Runtime wrote %d files", len(files))
	}
	return readProfile(files[0])
}

// noise makes pixels random: kernels that choose, of maxima above all, are faster where
// all are the same.
func noise(inputs map[string]Value) map[string]Value {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, v := range inputs {
		if pixels, ok := v.Data.([]uint8); ok {
			for i := range pixels {
				pixels[i] = uint8(rng.IntN(256))
			}
		}
	}
	return inputs
}

// readProfile reads ONNX Runtime's profile, which is in the Trace Event Format of
// Chrome: of each run of each node there is an event whose name ends in "_kernel_time".
func readProfile(path string) ([]Node, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	var events []struct {
		Category string `json:"cat"`
		Name     string `json:"name"`
		Duration int64  `json:"dur"` // µs
		Args     struct {
			Op       string `json:"op_name"`
			Provider string `json:"provider"`
			Index    string `json:"node_index"`
		} `json:"args"`
	}
	if err := json.Unmarshal(data, &events); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	nodes := map[string]Node{}
	for _, e := range events {
		if name, ok := strings.CutSuffix(e.Name, "_kernel_time"); ok && e.Category == "Node" {
			took := time.Duration(e.Duration) * time.Microsecond
			if before, seen := nodes[e.Args.Index]; seen {
				took = min(took, before.Time)
			}
			nodes[e.Args.Index] = Node{name, e.Args.Op, e.Args.Provider, took}
		}
	}
	var sorted []Node
	for _, n := range nodes {
		sorted = append(sorted, n)
	}
	slices.SortFunc(sorted, func(a, b Node) int { return int(b.Time - a.Time) })
	return sorted, nil
}
