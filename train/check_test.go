package train

import (
	"math"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
)

// TestCheckDevice compares the CPU with itself.
func TestCheckDevice(t *testing.T) {
	report, err := CheckDevice(ascood.Device{}, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if report.Err() != nil || !strings.HasSuffix(text.String(), "PASS\n") {
		t.Errorf("%v\n%s", report.Err(), &text)
	}
	for _, part := range []string{"gradient outliers", "shuffle outliers", "gaussian outliers", "loss, relative difference", "images/s", "libtorch"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is not in\n%s", part, &text)
		}
	}
	if _, err := CheckDevice(ascood.CUDA(99), Options{Threads: 1}); ascood.CodeOf(err) != ascood.Unavailable {
		t.Errorf("error %v on a GPU that is not there", err)
	}
}

func TestDistances(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	vector := func(v ...float32) gotorch.Tensor { return gotorch.FromSlice(s, v, len(v)) }
	a := []gotorch.Tensor{vector(1, 2), vector(3)}
	if got := apart(a, []gotorch.Tensor{vector(1, 2), vector(1)}); math.Abs(got-math.Sqrt(4./6)) > 1e-7 {
		t.Errorf("apart by %v", got)
	}
	if got := apart([]gotorch.Tensor{vector(float32(math.NaN()))}, []gotorch.Tensor{vector(1)}); !math.IsNaN(got) {
		t.Errorf("not a number is apart by %v", got)
	}
	if got := moved(vector(1, -2, 3, 10.0005), vector(1, -2, 4, 10)); got != 0.25 {
		t.Errorf("a share of %v has moved, want 0.25", got)
	}
	if got := moved(vector(float32(math.NaN()), 1), vector(1, 1)); got != 0.5 {
		t.Errorf("a share of %v has moved, want 0.5", got)
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}
