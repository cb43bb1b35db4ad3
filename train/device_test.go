package train

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/runs"
)

func TestDevice(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if d, err := openDevice(ascood.Device{}, logger); err != nil || d.String() != "cpu" || log.Len() > 0 {
		t.Errorf("cpu: %s, %v, log %q", d, err, &log)
	}
	// A GPU of this number is missing on any machine, for one reason or another.
	_, err := openDevice(ascood.CUDA(99), logger)
	if ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), "device cuda:99: ") {
		t.Errorf("cuda:99: %v", err)
	}
	auto, err := ascood.ParseDevice("auto")
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDevice(auto, logger)
	if err != nil || !strings.Contains(log.String(), "device auto: "+d.String()) {
		t.Errorf("auto: %s, %v, log %q", d, err, &log)
	}
	if d.String() == "cpu" && !strings.Contains(log.String(), "no_cuda_because=") {
		t.Errorf("the choice of the CPU is not explained: %q", &log)
	}
}

// TestFlags: a run sets all that libtorch has, whatever an earlier one in the
// process set, and keeps its numbers on the CPU.
func TestFlags(t *testing.T) {
	t.Setenv("CUBLAS_WORKSPACE_CONFIG", "")
	plain := small(t)
	plain.Epochs = 1
	exact := plain
	exact.TF32, exact.Deterministic = true, true
	var log bytes.Buffer
	var models []*checkpoint.Checkpoint
	for _, c := range []Config{exact, plain} {
		o := options(t)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		mustRun(t, c, o)
		for flag, want := range map[gotorch.Flag]bool{
			gotorch.TF32CuDNN: c.TF32, gotorch.TF32CuBLAS: c.TF32,
			gotorch.Deterministic: c.Deterministic, gotorch.BenchmarkCuDNN: !c.Deterministic,
		} {
			if on, err := flag.IsOn(); err != nil || on != want {
				t.Errorf("with tf32 %v and deterministic %v, flag %d is %v, %v", c.TF32, c.Deterministic, flag, on, err)
			}
		}
		last := read(t, o, runs.LastFile)
		var kept Config
		if err := json.Unmarshal(last.Meta.Training, &kept); err != nil || kept != c {
			t.Errorf("the configuration is kept as %+v, %v", kept, err)
		}
		models = append(models, last)
	}
	if !equalStates(models[0].Model, models[1].Model) {
		t.Error("the flags of GPUs change numbers on the CPU")
	}
	if n := strings.Count(log.String(), "tf32 does nothing on the CPU"); n != 1 {
		t.Errorf("%d warnings of TF32 on the CPU, want 1:\n%s", n, &log)
	}
}
