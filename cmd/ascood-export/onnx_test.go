package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
)

// foreignFile is a network of torchvision's.
func foreignFile(name string) string {
	return testmodel.Path("importer", "testdata", "torchvision", name+".onnx")
}

// TestONNX goes from a file of another program to a verdict.
func TestONNX(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.onnx")
	stdout, err := command(t, "--onnx", foreignFile("mobilenet_v2.17"), "--preprocess", "cifar10", "--calibrate", clothes+"[:40]", "--tpr", "0.9", "-o", out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout, "the network of mobilenet_v2.17.onnx, 10 classes, 32x32 pixels") {
		t.Errorf("output: %s", stdout)
	}
	m, meta, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if meta.Arch != "onnx" || meta.Head != "linear" || meta.Source.Checkpoint != "mobilenet_v2.17.onnx" || len(meta.Source.SHA256) != 64 || meta.Calibration.Samples != 40 {
		t.Errorf("metadata %+v", meta)
	}
	if weight, bias, err := artifact.Classifier(m); err != nil || len(bias) != 10 || len(weight)%10 != 0 {
		t.Errorf("the last layer has %d weights and %d biases, error %v", len(weight), len(bias), err)
	}
	checkWithONNX(t, out)
	model, err := ioodin.Open(out, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	data, err := dataset.Open(clothes+"[50:52]", "")
	if err != nil {
		t.Fatal(err)
	}
	calibration, err := model.Calibration()
	if err != nil {
		t.Fatal(err)
	}
	for image, err := range model.Scan(t.Context(), data, ioodin.ScanOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if v := calibration.Decide(image.Score); !(v.PValue > 0 && v.PValue <= 1) {
			t.Errorf("verdict %+v of score %v", v, image.Score)
		}
	}
}

// TestONNXWithoutFeature: a network that does not end in a linear layer has no feature.
func TestONNXWithoutFeature(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.onnx")
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"--onnx", foreignFile("squeezenet1_1.17"), "--pre-size", "33", "--image-size", "33", "--mean", ".5,.5,.5", "--std", ".5,.5,.5", "-o", out}, &stdout, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stderr.String(), "there is no last linear layer") {
		t.Errorf("it says %q", stderr.String())
	}
	m, meta, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(m.Graph.Output, func(v *onnx.ValueInfoProto) bool { return v.Name == artifact.Feature }) || meta.Head != "none" {
		t.Errorf("there is a feature; the head is %q", meta.Head)
	}
	if _, _, err := artifact.Classifier(m); err == nil || !strings.Contains(err.Error(), "the last linear layer") {
		t.Errorf("error %v", err)
	}
}

// TestONNXValues: maps and feature that are named are in the artifact.
func TestONNXValues(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.onnx")
	const third, fourth = "/features/features.1/conv/conv.1/Conv_output_0", "/features/features.3/conv/conv.2/Conv_output_0"
	if _, err := command(t, "--onnx", foreignFile("mobilenet_v2.17"), "--preprocess", "cifar10", "--tap", "layer3="+third+",layer4="+fourth, "-o", out); err != nil {
		t.Fatal(err)
	}
	m, meta, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := ioodin.OpenGraph(m, meta, artifact.Layer3, []string{artifact.Layer4, artifact.Logits}, ioodin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	graph.Close()
	_, err = command(t, "--onnx", foreignFile("squeezenet1_1.17"), "--preprocess", "cifar10", "--pre-size", "33", "--image-size", "33", "--feature", "x", "-o", out)
	if err == nil || !strings.Contains(err.Error(), `--feature: "x" is not a vector`) {
		t.Errorf("error %v", err)
	}
}

// TestONNXClassNames: those of the file come before those of the calibration images.
func TestONNXClassNames(t *testing.T) {
	m, err := importer.Read(foreignFile("resnet18.17"))
	if err != nil {
		t.Fatal(err)
	}
	m.MetadataProps = []*onnx.StringStringEntryProto{{Key: "names", Value: `["a","b","c","d","e","f","g","h","i","j"]`}}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file, out := filepath.Join(folder, "net.onnx"), filepath.Join(folder, "m.onnx")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	given := filepath.Join(folder, "classes.txt")
	if err := os.WriteFile(given, []byte("0\n1\n2\n3\n4\n5\n6\n7\n8\nnine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		last string
	}{
		"file's":  {nil, "j"},
		"given":   {[]string{"--classes", given}, "nine"},
		"numbers": {[]string{"--onnx", foreignFile("resnet18.17")}, "9"},
	} {
		if _, err := command(t, append([]string{"--onnx", file, "--preprocess", "cifar10", "-o", out}, c.args...)...); err != nil {
			t.Fatal(err)
		}
		if _, meta, err := artifact.Load(out); err != nil || meta.Classes[9] != c.last {
			t.Errorf("%s: classes %v, error %v", name, meta.Classes, err)
		}
	}
}

// TestONNXOverWeights: weights beside the file are not written over.
func TestONNXOverWeights(t *testing.T) {
	m, err := importer.Read(foreignFile("resnet18.17"))
	if err != nil {
		t.Fatal(err)
	}
	w := m.Graph.Initializer[0]
	raw, err := w.Raw()
	if err != nil {
		t.Fatal(err)
	}
	beside := write(t, "net.data", raw)
	w.RawData, w.DataLocation = nil, onnx.TensorProto_EXTERNAL
	w.ExternalData = []*onnx.StringStringEntryProto{{Key: "location", Value: "net.data"}}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(beside), "net.onnx")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "--onnx", file, "--preprocess", "cifar10", "-o", beside); err == nil || !strings.Contains(err.Error(), "net.data is what is read from") {
		t.Errorf("error %v", err)
	}
	if now, err := os.ReadFile(beside); err != nil || !bytes.Equal(now, raw) {
		t.Error("the weights were written over")
	}
	if _, err := command(t, "--onnx", file, "--preprocess", "cifar10", "-o", filepath.Join(filepath.Dir(beside), "m.onnx")); err != nil {
		t.Error(err)
	}
}

// TestONNXWrong: nothing is written, and the flags are named that help.
func TestONNXWrong(t *testing.T) {
	file := foreignFile("resnet18.17")
	good := []string{"--onnx", file, "--preprocess", "cifar10"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no preprocessing": {[]string{"--onnx", file}, "give --preprocess with one of"},
		"two sources":      {append(good[:4:4], "--checkpoint", lenet), "--checkpoint has no meaning beside --onnx"},
		"architecture":     {append(good[:4:4], "--arch", "lenet"), "--arch has no meaning beside --onnx"},
		"layout alone":     {[]string{"--checkpoint", lenet, "--input-layout", "nhwc"}, "--input-layout has no meaning without --onnx"},
		"feature alone":    {[]string{"--checkpoint", lenet, "--feature", "x"}, "--feature has no meaning without --onnx"},
		"tap":              {append(good[:4:4], "--tap", "layer5=x"), "--tap layer5: the names are stem, layer1, layer2, layer3, layer4"},
		"layout":           {append(good[:4:4], "--input-layout", "nhwc"), "--input-layout is nhwc, but the input"},
		"channels":         {append(good[:4:4], "--channels", "gray"), "--channels gray: --mean and --std must be the same"},
		"logits":           {append(good[:4:4], "--logits", "y"), `--logits: there is no output or value "y"; the outputs are logits: FLOAT [batch,10]`},
		"size":             {[]string{"--onnx", file, "--preprocess", "imagenet"}, "--image-size 224: the network takes images of 32x32 pixels"},
		"classes":          {append(good[:4:4], "--classes", write(t, "three.txt", []byte("a\nb\nc\n"))), "--classes names 3 classes, but the network has 10"},
		"missing":          {append(good[:4:4], "--onnx", file+"x"), "no such file"},
		"no ONNX file":     {append(good[:4:4], "--onnx", lenet), "a checkpoint, not an ONNX file: it is given by --checkpoint"},
		"file as output":   {append(good[:4:4], "-o", file), "read from"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "m.onnx")
			_, err := command(t, append([]string{"-o", out}, c.args...)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("something was written")
			}
		})
	}
}
