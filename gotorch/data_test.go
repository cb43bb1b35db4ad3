package gotorch_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

func roundTrip[T gotorch.Element](t *testing.T, dtype gotorch.DType, data ...T) {
	t.Helper()
	s := newScope(t)
	x := gotorch.FromSlice(s, data, 2, len(data)/2)
	if got := gotorch.ToSlice[T](x); !slices.Equal(got, data) {
		t.Errorf("%v: %v came back as %v", dtype, data, got)
	}
	if x.DType() != dtype || x.Numel() != len(data) || x.Dim() != 2 || x.Device() != gotorch.CPU {
		t.Errorf("%v became %v of %d elements in %d dimensions on %v", dtype, x.DType(), x.Numel(), x.Dim(), x.Device())
	}
}

func TestRoundTrip(t *testing.T) {
	roundTrip[float32](t, gotorch.Float32, 1, -2.5, 1e-30, 3)
	roundTrip[float64](t, gotorch.Float64, 1, -2.5, 1e-300, 3)
	roundTrip[int64](t, gotorch.Int64, 1<<62, -1)
	roundTrip[int32](t, gotorch.Int32, 1<<30, -1)
	roundTrip[int16](t, gotorch.Int16, 1<<14, -1)
	roundTrip[int8](t, gotorch.Int8, 127, -128)
	roundTrip[uint8](t, gotorch.Uint8, 255, 0, 1, 2)
	roundTrip(t, gotorch.Bool, true, false)
	roundTrip[float32](t, gotorch.Float32)
}

func TestScalarAndEmpty(t *testing.T) {
	s := newScope(t)
	if v := gotorch.FromSlice(s, []int64{42}).Item(); v != 42 {
		t.Errorf("Item = %v", v)
	}
	if v := gotorch.ToSlice[float32](gotorch.Zeros(s, dims(0, 3))); v == nil || len(v) != 0 {
		t.Errorf("an empty tensor is %v", v)
	}
}

func TestSliceOwnsNothing(t *testing.T) {
	s := newScope(t)
	data := []float32{1, 2}
	x := gotorch.FromSlice(s, data, 2)
	data[0] = 9
	gotorch.ToSlice[float32](x)[1] = 9
	wantTensor(t, "x", x, dims(2), 1, 2)
}

func TestDataErrors(t *testing.T) {
	for _, c := range []struct {
		run  func(s *gotorch.Scope)
		want string
	}{
		{func(s *gotorch.Scope) { gotorch.FromSlice(s, []float32{1, 2, 3}, 2, 2) }, "from_slice([2 2], float32): shape [2 2] holds 4 values, not 3"},
		{func(s *gotorch.Scope) { gotorch.FromSlice(s, []float32{1}, -1, -1) }, "from_slice([-1 -1], float32): dimension -1 in shape [-1 -1]"},
		{func(s *gotorch.Scope) { gotorch.ToSlice[int64](vector(s, 1)) }, "to_slice(float32[1]): the elements are float32, not int64"},
	} {
		s := gotorch.NewScope()
		c.run(s)
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
		s.Close()
	}
}

func TestTo(t *testing.T) {
	s := newScope(t)
	x := gotorch.FromSlice(s, []uint8{0, 128, 255}, 3)
	y := x.To(gotorch.Float32, gotorch.CPU)
	if y.DType() != gotorch.Float32 || y.String() != "float32[3]" {
		t.Errorf("To(Float32) is %v", y)
	}
	wantTensor(t, "to", y.DivScalar(255), dims(3), 0, 128.0/255, 1)
}

// TestFetch: the copy outlives the tensor's scope and its graph. A wait for a GPU is
// tested where there is one.
func TestFetch(t *testing.T) {
	devices := []gotorch.Device{gotorch.CPU}
	if gotorch.CUDA(0).Available() == nil {
		devices = append(devices, gotorch.CUDA(0))
	}
	for _, d := range devices {
		t.Run(d.String(), func(t *testing.T) {
			outer, before := newScope(t), gotorch.LiveHandles()
			step := gotorch.NewScope()
			x := gotorch.FromSlice(step, []float32{1, 2, 3}, 3).Send(d)
			y := x.SetRequiresGrad(true).MulScalar(2)
			got := outer.Keep(y.Fetch())
			if x.Device() != d || got.Device() != gotorch.CPU || got.RequiresGrad() {
				t.Errorf("%v sent, %v fetched, requires gradients: %v", x, got, got.RequiresGrad())
			}
			if err := step.Err(); err != nil {
				t.Fatal(err)
			}
			step.Close()
			wantTensor(t, "fetched", got, dims(3), 2, 4, 6)
			outer.Close()
			if now := gotorch.LiveHandles(); now != before {
				t.Errorf("%d handles are left", now-before)
			}
		})
	}
}
