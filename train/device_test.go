package train

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/ascood/ascood"
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
