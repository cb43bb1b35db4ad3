package export_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/cudastub"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/onnx"
)

// TestPlacement opens the artifact of each small network of torchvision, written for
// either target, on the CUDA provider, without a GPU: every node must run there, and none
// may copy between GPU and CPU. Those that would not are named.
func TestPlacement(t *testing.T) {
	if !cudastub.Here() {
		cudastub.Place(t, os.Getenv(ort.LibraryEnv))
		return
	}
	ort.OnlyPlace()
	files, err := filepath.Glob(testmodel.Path("importer", "testdata", "torchvision", "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no networks, error %v", err)
	}
	for _, file := range files {
		for _, target := range artifact.Targets() {
			t.Run(filepath.Base(file)+" for "+string(target), func(t *testing.T) {
				m, _ := artifactOf(t, file, target)
				if err := place(m); err != nil {
					t.Errorf("%v; without a kernel for CUDA are %q", err, unplaced(t, m))
				}
			})
		}
	}
}

func place(m *onnx.ModelProto) error {
	s, err := ort.Open(m, ort.Options{Device: ascood.CUDA(0)})
	if err == nil {
		s.Close()
	}
	return err
}

// unplaced names the nodes that alone would run on the CPU, one of each operator.
func unplaced(t *testing.T, m *onnx.ModelProto) (names []string) {
	t.Helper()
	shapes, seen := onnx.Shapes(m.Graph), map[string]bool{}
	constants := onnx.Constants(m.Graph)
	for _, n := range m.Graph.Node {
		if seen[n.OpType] {
			continue
		}
		b := onnx.NewBuilder("alone")
		inputs := slices.Clone(n.Input)
		for _, in := range n.Input {
			if t := constants[in]; t != nil {
				b.Tensor(t)
			} else if in != "" {
				b.Input(in, "", onnx.TensorProto_FLOAT, dimensions(shapes[in])...)
			}
		}
		outs := b.Ops(n.OpType, len(n.Output), inputs, n.Attribute...)
		b.Output(outs[0], "", onnx.TensorProto_FLOAT)
		alone, err := b.Model("test", "1")
		if err != nil {
			continue // of a value that is not described
		}
		alone.Graph.Output[0].Type = nil
		if err := place(alone); err != nil && strings.Contains(err.Error(), "fallback to CPU") {
			seen[n.OpType] = true
			names = append(names, n.OpType+" "+n.Name)
		}
	}
	return names
}

func dimensions(s onnx.Shape) []any {
	var dims []any
	for _, d := range s {
		if d.Batch {
			dims = append(dims, d.String())
		} else {
			dims = append(dims, d.Size)
		}
	}
	return dims
}

// TestUnplaced: a node that CUDA has no kernel for is named.
func TestUnplaced(t *testing.T) {
	if !cudastub.Here() {
		cudastub.Rerun(t, os.Getenv(ort.LibraryEnv))
		return
	}
	ort.OnlyPlace()
	b := onnx.NewBuilder("test")
	b.Input("x", "", onnx.TensorProto_FLOAT, onnx.Batch, 4)
	b.Scope("net/")
	y := b.Op("Celu", []string{b.Op("Relu", []string{"x"})})
	b.Output(b.Rename(y, "y"), "", onnx.TensorProto_FLOAT, onnx.Batch, 4)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := place(m); err == nil {
		t.Fatal("a Celu has a kernel for CUDA")
	}
	if names := unplaced(t, m); len(names) != 1 || names[0] != "Celu net/Celu" {
		t.Errorf("named are %q", names)
	}
}

// TestTarget: written for CUDA, the gradient of strided convolutions is ConvTranspose,
// and the same as written for the CPU; the file says what it is for.
func TestTarget(t *testing.T) {
	file := testmodel.Path("importer", "testdata", "torchvision", "convnext.11.onnx")
	crop := testmodel.RandomCrop(32)
	var gradients [][]float32
	for _, target := range artifact.Targets() {
		m, size := artifactOf(t, file, target)
		transposed := slices.ContainsFunc(m.Graph.Node, func(n *onnx.NodeProto) bool { return n.OpType == "ConvTranspose" })
		if transposed != (target == artifact.CUDA) {
			t.Errorf("for %s ConvTranspose is there: %v", target, transposed)
		}
		out, err := openPart(t, m, []string{artifact.Gradient}).Run(map[string]ort.Value{
			artifact.Pixels: {Shape: []int{1, size, size, 3}, Data: crop},
		})
		if err != nil {
			t.Fatal(err)
		}
		gradients = append(gradients, out[artifact.Gradient].Floats())
	}
	largest := float32(0)
	for _, v := range gradients[0] {
		largest = max(largest, v, -v)
	}
	for i, v := range gradients[1] {
		if off := v - gradients[0][i]; max(off, -off) > 1e-5*largest {
			t.Fatalf("element %d is %g for CUDA, %g for the CPU", i, v, gradients[0][i])
		}
	}
}
