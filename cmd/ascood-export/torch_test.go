package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/onnx"
)

// TestTorchCheckpoint: of what torch.save wrote comes the same graph as of the
// same weights in safetensors, whose scores are held to the reference.
func TestTorchCheckpoint(t *testing.T) {
	fromTorch := exported(t, testmodel.Path("checkpoint", "testdata", "lenet.pth"), "lenet", pre28)
	if !proto.Equal(fromTorch, exported(t, lenet, "lenet", pre28)) {
		t.Error("the graphs differ")
	}
}

// TestTorchvisionCheckpoint exports networks under torchvision's names.
func TestTorchvisionCheckpoint(t *testing.T) {
	for file, arch := range map[string]string{"resnet18": "resnet18_224x224", "resnet50": "resnet50"} {
		path := testmodel.Path("testdata", "torchvision", file+"-width1.pth")
		graph := exported(t, path, arch, []string{"--preprocess", "imagenet"})
		if len(graph.Node) == 0 {
			t.Errorf("%s: an empty graph", file)
		}
		_, err := command(t, "--checkpoint", path, "--arch", "resnet18_32x32", "--preprocess", "imagenet", "-o", filepath.Join(t.TempDir(), "m.onnx"))
		if err == nil || !strings.Contains(err.Error(), "not those of resnet18_32x32") {
			t.Errorf("%s as another network: %v", file, err)
		}
	}
}

// exported returns the graph that the command makes of a checkpoint.
func exported(t *testing.T, checkpoint, arch string, pre []string) *onnx.GraphProto {
	t.Helper()
	out := filepath.Join(t.TempDir(), "m.onnx")
	if _, err := command(t, slices.Concat(pre, []string{"--checkpoint", checkpoint, "--arch", arch, "-o", out})...); err != nil {
		t.Fatal(err)
	}
	model, _, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	return model.Graph
}
