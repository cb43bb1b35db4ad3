package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/train"
)

// data writes 60 images of 28x28 in two classes, dark and bright, as IDX.
func data(t *testing.T) string {
	t.Helper()
	const n = 60
	images, labels := []byte{0, 0, 8, 3}, []byte{0, 0, 8, 1, 0, 0, 0, n}
	for _, d := range []uint32{n, 28, 28} {
		images = binary.BigEndian.AppendUint32(images, d)
	}
	for i := range n {
		labels = append(labels, byte(i%2))
		for p := range 28 * 28 {
			images = append(images, byte(i%2*128+(i*31+p*17)%100))
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "images-idx3-ubyte")
	for file, content := range map[string][]byte{path: images, filepath.Join(dir, "labels-idx1-ubyte"): labels} {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func command(t *testing.T, ctx context.Context, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs strings.Builder
	err := run(ctx, args, &out, &errs)
	status = cli.Report(&errs, "ascood-train", err)
	return out.String(), errs.String(), status
}

// args is a command line that trains for an epoch or two.
func args(data, output string, more ...string) []string {
	return append([]string{
		"--train", data + "[0:40]", "--val", data + "[40:60]", "--arch", "lenet", "--augment", "none", "--epochs", "2", "--batch-size", "8",
		"--pre-size", "28", "--image-size", "28", "--mean", ".5,.5,.5", "--std", ".5,.5,.5", "--threads", "1", "-o", output,
	}, more...)
}

func TestTrain(t *testing.T) {
	images, output := data(t), filepath.Join(t.TempDir(), "run")
	_, stderr, status := command(t, t.Context(), args(images, output)...)
	if status != 0 {
		t.Fatal(stderr)
	}
	for _, part := range []string{
		"default  --lr 0.1\n", "default  --ood-type gradient\n", "default  --alpha-max 300\n", "flag     --epochs 2\n", "flag     --mean 0.5,0.5,0.5\n", "msg=network arch=lenet width=6 head=ascood classes=2",
		"msg=images train=40 val=20", "epoch 2/2  loss ", "msg=finished epochs=2",
	} {
		if !strings.Contains(stderr, part) {
			t.Errorf("%q is not in\n%s", part, stderr)
		}
	}
	for _, name := range []string{"best.safetensors", "last.safetensors", "metrics.csv", "config.json"} {
		if _, err := os.Stat(filepath.Join(output, name)); err != nil {
			t.Error(err)
		}
	}
	if _, stderr, status := command(t, t.Context(), args(images, output)...); status == 0 || !strings.Contains(stderr, "continue it with --resume") {
		t.Errorf("a second run in the same place: status %d, %s", status, stderr)
	}
	if _, stderr, status := command(t, t.Context(), "--resume", "-o", output); status != 0 {
		t.Errorf("resuming a finished run: status %d, %s", status, stderr)
	}
}

func TestResume(t *testing.T) {
	images, output := data(t), filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, stderr, status := command(t, ctx, args(images, output, "--seed", "7", "--method", "ce")...)
	if status != cli.StatusInterrupted || !strings.Contains(stderr, "to go on: ascood-train --resume --output "+output) {
		t.Fatalf("interrupted: status %d, %s", status, stderr)
	}
	if strings.Contains(stderr, "--ood-type") {
		t.Errorf("a plain classifier does not make outliers:\n%s", stderr)
	}
	_, stderr, status = command(t, t.Context(), "--resume", "-o", output, "--lr", "0.2", "--seed", "7", "--batch-size", "16", "--preprocess", "cifar10")
	want := `contradicted by --lr 0.2 (the run has "0.1"), --batch-size 16 (the run has "8"), preprocessing resize 32, crop 32, `
	if status != cli.StatusUsage || !strings.Contains(stderr, want) || strings.Contains(stderr, "--seed 7 (") {
		t.Errorf("contradicting flags: status %d, %s", status, stderr)
	}
	_, stderr, status = command(t, t.Context(), args(images, output, "--seed", "7", "--method", "ce", "--resume")...)
	if status != 0 || !strings.Contains(stderr, "msg=finished epochs=2") {
		t.Errorf("resuming with the same flags: status %d, %s", status, stderr)
	}
}

// TestResumeSet: hyperparameters that the run has may be given again, others contradict it.
func TestResumeSet(t *testing.T) {
	images := data(t)
	for _, test := range []struct {
		method    string
		set, same []string
		other     []string
		want      string
	}{
		{"conf_branch", []string{"--set", "lambda=0.2", "--set", "budget=0.4"}, []string{"--set", "lambda=0.2"},
			[]string{"--set", "budget=0.5", "--set", "lambda=0.2"}, `contradicted by --set budget=0.5 (the run has "0.4")`},
		{"ascood", []string{"--set", "w=2"}, []string{"--set", "w=2"}, []string{"--set", "w=3"}, `contradicted by --set w=3 (the run has "2")`},
		{"logitnorm", nil, []string{"--set", "tau=0.04"}, []string{"--method", "godin", "--set", "constant_rate=false"}, `contradicted by --method godin (the run has "logitnorm")`},
	} {
		t.Run(test.method, func(t *testing.T) {
			output := filepath.Join(t.TempDir(), "run")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, stderr, status := command(t, ctx, args(images, output, append(test.set, "--method", test.method)...)...); status != cli.StatusInterrupted {
				t.Fatalf("interrupted: status %d, %s", status, stderr)
			}
			resume := []string{"--resume", "-o", output}
			if _, stderr, status := command(t, t.Context(), append(resume, test.other...)...); status != cli.StatusUsage || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "lambda") {
				t.Errorf("status %d, %q is not in %s", status, test.want, stderr)
			}
			if _, stderr, status := command(t, t.Context(), append(resume, test.same...)...); status != 0 || !strings.Contains(stderr, "msg=finished epochs=2") {
				t.Errorf("resuming with the same ones: status %d, %s", status, stderr)
			}
		})
	}
}

// TestPrintSet: hyperparameters of methods are shown, each with where it is from.
func TestPrintSet(t *testing.T) {
	stdout, stderr, status := command(t, t.Context(), args("x", "y", "--method", "conf_branch", "--set", "budget=0.4", "--print-config")...)
	for _, want := range []string{"flag     --set budget=0.4\n", "default  --set lambda=0.1\n", "flag     --method conf_branch\n"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, %s; %q is not in\n%s", status, stderr, want, stdout)
		}
	}
	stdout, stderr, status = command(t, t.Context(), "--preset", "cifar100", "--method", "cider", "--set", "w=1", "--print-config")
	for _, want := range []string{"flag             --set w=1\n", "preset cifar100  --set proto_m=0.5\n", "default          --set temp=0.1\n", "preset cifar100  --augment contrastive\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("status %d, %s; %q is not in\n%s", status, stderr, want, stdout)
		}
	}
}

// TestAdvice: a run can be resumed from what it saved before its GPU failed.
func TestAdvice(t *testing.T) {
	failed := errors.New("CUDA error")
	for _, test := range []struct {
		err  error
		want string
	}{
		{failed, "CUDA error"},
		{&train.DeviceLost{Output: "run", Err: failed}, "the device is lost: CUDA error; nothing had been saved"},
		{fmt.Errorf("seed 3: %w", &train.DeviceLost{Output: "run/s3", Saved: "run/s3/last.safetensors", Err: failed}),
			"seed 3: the device is lost: CUDA error; run/s3/last.safetensors has the state that was saved last; to go on: ascood-train --resume --output run/s3"},
	} {
		if got := advise(test.err); got.Error() != test.want {
			t.Errorf("advice %q, want %q", got, test.want)
		}
	}
	if advise(nil) != nil {
		t.Error("advice on no error")
	}
}

func TestFlags(t *testing.T) {
	images := data(t)
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"--speed", "9"}, "unknown flag: --speed"},
		{"nothing", nil, "missing:\n  --train: training images: "},
		{"all that is missing", []string{"--val", images, "--augment", "none"}, "\n  --arch: architecture: densenet121, "},
		{"preprocessing is missing", []string{"--arch", "lenet"}, "; or --pre-size, --image-size, --mean and --std\n  --augment: "},
		{"seed twice", args(images, "run", "--seeds", "0,0"), `--seeds 0,0: 0 is there twice`},
		{"negative seed", args(images, "run", "--seeds", "-1"), `--seeds -1: want numbers from 0, such as 0,1,2`},
		{"workers", args(images, "run", "--workers", "-1"), "--workers -1: must be from 0 to 1024"},
		{"threads", args(images, "run", "--threads", "-1"), "--threads -1: must be from 0 to 1024"},
		{"too many threads", args(images, "run", "--threads", "1025"), "--threads 1025: must be from 0 to 1024"},
		{"strengths", args(images, "run", "--alpha-min", "400"), "--alpha-min 400 is larger than --alpha-max 300"},
		{"flag of another method", args(images, "run", "--method", "ce", "--sigma", "3"), "--sigma has no meaning with --method ce"},
		{"resume what", []string{"--resume"}, "--output is missing"},
		{"nothing to resume", []string{"--resume", "-o", t.TempDir()}, "nothing to resume"},
		{"word", []string{"now"}, `unexpected argument "now"`},
		{"method", args(images, t.TempDir(), "--method", "x"), "known are ascood, ce"},
		{"outliers", args(images, t.TempDir(), "--ood-type", "x"), "known are gradient, shuffle, gaussian"},
		{"both ways to say it", args(images, t.TempDir(), "--preprocess", "cifar10"), "give one or the other"},
		{"augmentation", args(images, t.TempDir(), "--augment", "x"), "known are none, classic, largescale"},
		{"device", args(images, t.TempDir(), "--device", "x"), "known are cpu, cuda, cuda:N and auto"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, stderr, status := command(t, t.Context(), test.args...); status == 0 || !strings.Contains(stderr, test.want) {
				t.Errorf("status %d, %q is not in %s", status, test.want, stderr)
			}
			if _, err := os.Stat("run"); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// TestDefaults: gaussian outliers have a published strength of their own.
func TestDefaults(t *testing.T) {
	f, err := parse(args("x", "y", "--ood-type", "gaussian"), os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	if f.config.AlphaMin != 0.1 || f.config.AlphaMax != 0.1 {
		t.Errorf("gaussian outliers of strength %g to %g, want 0.1", f.config.AlphaMax, f.config.AlphaMin)
	}
}

func TestHelp(t *testing.T) {
	stdout, stderr, status := command(t, t.Context(), "--help")
	if status != 0 || stderr != "" || !strings.Contains(stdout, "ascood-train --resume --output run") || !strings.Contains(stdout, "--fc-lr-factor") {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
}

// TestCheckDevice compares the CPU with itself.
func TestCheckDevice(t *testing.T) {
	stdout, stderr, status := command(t, t.Context(), "--check-device", "cpu", "--threads", "1", "--json")
	var report struct {
		Passed   bool
		Sections []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(stdout), &report); status != 0 || err != nil || !report.Passed || len(report.Sections) < 4 {
		t.Errorf("status %d, %v, %s%s", status, err, stdout, stderr)
	}
	for want, args := range map[string][]string{
		"--epochs has no meaning beside --check-device": {"--check-device", "cpu", "--epochs", "3"},
		"--json has no meaning without --check-device":  {"--json"},
		`--check-device gpu: unknown device "gpu"`:      {"--check-device", "gpu"},
	} {
		if _, stderr, status := command(t, t.Context(), args...); status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
	}
	if _, stderr, status := command(t, t.Context(), "--check-device", "cuda:99"); status != 1 || !strings.Contains(stderr, "cuda:99") {
		t.Errorf("a GPU that is not there: status %d, %s", status, stderr)
	}
}
