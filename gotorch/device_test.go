package gotorch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

func TestCPUIsAvailable(t *testing.T) {
	if err := gotorch.CPU.Available(); err != nil {
		t.Error(err)
	}
}

// CUDA either works or is refused with the reason that applies to this machine.
func TestCUDAIsAvailable(t *testing.T) {
	build, err := gotorch.Build()
	if err != nil {
		t.Fatal(err)
	}
	refused := func(index int, want string) {
		t.Helper()
		err := gotorch.CUDA(index).Available()
		if !errors.Is(err, gotorch.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("GPU %d: error %v, want %s", index, err, want)
		}
	}
	switch {
	case !build.CUDA:
		refused(0, "was built without CUDA; build against one that has it (LIBTORCH=/path)")
	case build.GPUs == 0:
		refused(0, "cuda:0: device unavailable: ")
	default:
		d := gotorch.CUDA(0)
		if err := d.Available(); err != nil {
			t.Fatal(err)
		}
		s := newScope(t)
		x := gotorch.Ones(s, dims(2), d).AddScalar(1)
		if want := "float32[2] on cuda:0"; x.String() != want {
			t.Errorf("made %v, want %s", x, want)
		}
		wantTensor(t, "x", x, dims(2), 2, 2)
		refused(99, "GPUs are numbered from 0, and there are ")
	}
}

func TestPeakMemory(t *testing.T) {
	peak := func() int {
		t.Helper()
		bytes, ok, err := gotorch.CPU.PeakMemory()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return bytes
	}
	const large = 1 << 22
	peak()
	before := peak()
	step := gotorch.NewScope()
	gotorch.Zeros(step, dims(large), gotorch.Uint8)
	step.Close()
	if with := peak(); with != before+large {
		t.Errorf("a peak of %d bytes with a tensor of %d, %d without", with, large, before)
	}
	if after := peak(); after != before {
		t.Errorf("a peak of %d bytes after the tensor is gone, %d before it came", after, before)
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
