package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/runs"
)

// foreign is a network of another program, for images of 32 pixels.
var foreign = filepath.Join("..", "..", "importer", "testdata", "torchvision", "resnet18.17.kept.onnx")

// onnxArgs is a command line that trains it for an epoch.
func onnxArgs(data, output string, more ...string) []string {
	return append([]string{
		"--train", data + "[0:40]", "--val", data + "[40:60]", "--onnx", foreign, "--augment", "none", "--epochs", "1", "--batch-size", "8",
		"--pre-size", "32", "--image-size", "32", "--mean", ".5,.5,.5", "--std", ".5,.5,.5", "--threads", "1", "-o", output,
	}, more...)
}

func TestONNX(t *testing.T) {
	images, output := data(t), filepath.Join(t.TempDir(), "run")
	_, stderr, status := command(t, t.Context(), onnxArgs(images, output)...)
	if status != 0 {
		t.Fatal(stderr)
	}
	for _, part := range []string{"flag     --onnx " + foreign, "new=\"fc.weight, fc.bias\"", "msg=network arch=onnx width=0 head=ascood classes=2", "msg=finished epochs=1"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("%q is not in\n%s", part, stderr)
		}
	}
	if strings.Contains(stderr, "--arch") {
		t.Errorf("there is no architecture to be shown:\n%s", stderr)
	}
	c, err := checkpoint.Load(filepath.Join(output, runs.BestFile))
	if err != nil {
		t.Fatal(err)
	}
	if c.Meta.Arch != "onnx" || len(c.Meta.Network) == 0 || c.Model["layer4.0.bn2.running_mean"] == nil {
		t.Errorf("the checkpoint is of %s, with a network of %d bytes", c.Meta.Arch, len(c.Meta.Network))
	}
	if _, stderr, status := command(t, t.Context(), "--resume", "-o", output); status != 0 {
		t.Errorf("resuming a finished run: status %d, %s", status, stderr)
	}
	_, stderr, status = command(t, t.Context(), "--resume", "-o", output, "--onnx", "other.onnx")
	if status != cli.StatusUsage || !strings.Contains(stderr, "contradicted by --onnx other.onnx") {
		t.Errorf("another file: status %d, %s", status, stderr)
	}
}

// TestONNXPreset: a network takes the place of the preset's, and of its weights.
func TestONNXPreset(t *testing.T) {
	stdout, stderr, status := command(t, t.Context(), "--preset", "waterbirds", "--data-root", miniature(t, preset(t, "waterbirds")), "--onnx", foreign, "--print-config")
	if status != 0 || !strings.Contains(stdout, "flag               --onnx ") || strings.Contains(stdout, "--arch") {
		t.Errorf("status %d, %s\n%s", status, stderr, stdout)
	}
}

func TestONNXWrong(t *testing.T) {
	images := data(t)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"architecture":   {onnxArgs(images, "o", "--arch", "lenet"), "--arch lenet has no meaning beside --onnx"},
		"width":          {onnxArgs(images, "o", "--width", "8"), "--width 8 has no meaning beside --onnx"},
		"weights":        {onnxArgs(images, "o", "--pretrained", "w.pth"), "--pretrained w.pth has no meaning beside --onnx"},
		"tap":            {onnxArgs(images, "o", "--tap", "layer3"), "--tap layer3: want name=value, with the names stem, layer1, "},
		"layout alone":   {args(images, "o", "--input-layout", "nhwc"), "--input-layout nhwc has no meaning without --onnx"},
		"rotations":      {onnxArgs(images, "o", "--method", "rotpred"), "--method rotpred has the rotpred head, which networks of --onnx cannot have; these can be trained by ascood, ce, logitnorm, mixoe, oe, vos, or --arch"},
		"projections":    {onnxArgs(images, "o", "--method", "cider"), "--method cider has the projection head"},
		"unit feature":   {onnxArgs(images, "o", "--head-feature", "unit"), "--method ascood has the unit head"},
		"channels alone": {args(images, "o", "--channels", "bgr"), "--channels bgr has no meaning without --onnx"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, stderr, status := command(t, t.Context(), c.args...); status != cli.StatusUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("status %d, %s; want %q", status, stderr, c.want)
			}
		})
	}
	output := filepath.Join(t.TempDir(), "run")
	_, stderr, status := command(t, t.Context(), onnxArgs(images, output, "--input-layout", "nhwc")...)
	if status == 0 || !strings.Contains(stderr, "--input-layout is nhwc, but the input") {
		t.Errorf("a layout that is not the file's: status %d, %s", status, stderr)
	}
}
