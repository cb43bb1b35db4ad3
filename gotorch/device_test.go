package gotorch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

func TestOpenDevice(t *testing.T) {
	if d, err := gotorch.OpenDevice("cpu"); d != gotorch.CPU || err != nil {
		t.Errorf("cpu: %v, %v", d, err)
	}
	for name, want := range map[string]string{
		"gpu":     `unknown device "gpu"; known are cpu, cuda, cuda:N`,
		"cuda:x":  `device "cuda:x": "x" is not the number of a GPU`,
		"cuda:-1": `device "cuda:-1": "-1" is not the number of a GPU`,
		"":        `unknown device ""; known are cpu, cuda, cuda:N`,
	} {
		_, err := gotorch.OpenDevice(name)
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, gotorch.ErrUnavailable) {
			t.Errorf("%q: error %v, want %s", name, err, want)
		}
	}
}

// CUDA either works or is refused with the reason that applies to this machine.
func TestOpenCUDA(t *testing.T) {
	build, err := gotorch.Build()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name, want string) {
		t.Helper()
		_, err := gotorch.OpenDevice(name)
		if !errors.Is(err, gotorch.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	switch {
	case !build.CUDA:
		refused("cuda", "was built without CUDA; build against one that has it (LIBTORCH=/path)")
	case build.GPUs == 0:
		refused("cuda", "cuda: device unavailable: ")
	default:
		d, err := gotorch.OpenDevice("cuda")
		if err != nil {
			t.Fatal(err)
		}
		s := newScope(t)
		x := gotorch.Ones(s, dims(2), d).AddScalar(1)
		if want := "float32[2] on cuda:0"; x.String() != want {
			t.Errorf("made %v, want %s", x, want)
		}
		wantTensor(t, "x", x, dims(2), 2, 2)
		refused("cuda:99", "GPUs are numbered from 0, and there are ")
	}
}

func TestMissingDeviceIsAnError(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	gotorch.Zeros(s, dims(1), gotorch.CUDA(99))
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "zeros([1], none, none, cuda:99): ") {
		t.Errorf("error %v", err)
	}
}
