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
					t.Error(err)
				}
			})
		}
	}
}

func place(m *onnx.ModelProto) error {
	device := ascood.CUDA(0)
	if err := ort.CheckPlacement(m, device, ort.Options{}); err != nil {
		return err
	}
	s, err := ort.Open(m, ort.Options{Device: device})
	if err == nil {
		s.Close()
	}
	return err
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
	const want = `cuda:0 has no kernel for Celu, node "net/Celu" of the graph: run it on the CPU`
	if err := place(m); ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
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
		out, err := openPart(t, m, false, artifact.Gradient).Run(map[string]ort.Value{
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
