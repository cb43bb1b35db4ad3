package ort

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// TestProfile: all nodes of a graph are there, with where they ran.
func TestProfile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	nodes, err := Profile(convolution(t), Options{Threads: 1}, 4)
	if err != nil {
		t.Fatal(err)
	}
	convolved := false
	for i, n := range nodes {
		convolved = convolved || strings.Contains(n.Op, "Conv")
		if !n.OnDevice(ascood.Device{}) || n.OnDevice(ascood.CUDA(0)) || n.Copies() {
			t.Errorf("%+v is not on the CPU", n)
		}
		if i > 0 && n.Time > nodes[i-1].Time {
			t.Errorf("%+v comes after one that is faster", n)
		}
	}
	if !convolved {
		t.Errorf("no convolution among %v", nodes)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("%v is left behind", left)
	}
}

// TestReadProfile: a node counts once, with its fastest run.
func TestReadProfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "profile.json")
	const profile = `[{"cat":"Session","name":"model_run","dur":900,"args":{}},
{"cat":"Node","name":"a_kernel_time","dur":500,"args":{"op_name":"Conv","provider":"CUDAExecutionProvider","node_index":"0"}},
{"cat":"Node","name":"b_kernel_time","dur":20,"args":{"op_name":"MemcpyToHost","provider":"CUDAExecutionProvider","node_index":"1"}},
{"cat":"Node","name":"a_kernel_time","dur":5,"args":{"op_name":"Conv","provider":"CUDAExecutionProvider","node_index":"0"}},
{"cat":"Node","name":"b_fence_before","dur":70,"args":{"op_name":"MemcpyToHost","node_index":"1"}}
]`
	if err := os.WriteFile(path, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	nodes, err := readProfile(path)
	if err != nil || len(nodes) != 2 {
		t.Fatalf("%v, error %v", nodes, err)
	}
	if n := nodes[0]; n.Name != "b" || !n.Copies() || !n.OnDevice(ascood.CUDA(0)) || n.Time.Microseconds() != 20 {
		t.Errorf("the slowest is %+v", n)
	}
	if n := nodes[1]; n.Name != "a" || n.Copies() || n.Time.Microseconds() != 5 {
		t.Errorf("the other is %+v", n)
	}
}
