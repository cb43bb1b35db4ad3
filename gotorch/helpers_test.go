package gotorch_test

import (
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

// newScope returns a scope for a test, in which nothing may fail.
func newScope(tb testing.TB, options ...gotorch.ScopeOption) *gotorch.Scope {
	tb.Helper()
	s := gotorch.NewScope(options...)
	tb.Cleanup(func() {
		if err := s.Err(); err != nil {
			tb.Error(err)
		}
		s.Close()
	})
	return s
}

// vector makes a float32 vector.
func vector(s *gotorch.Scope, values ...float32) gotorch.Tensor {
	return gotorch.FromSlice(s, values, len(values))
}

// matrix makes a float32 matrix with the given number of rows.
func matrix(s *gotorch.Scope, rows int, values ...float32) gotorch.Tensor {
	return gotorch.FromSlice(s, values, rows, len(values)/rows)
}

// wantTensor compares a tensor, converted to float64, with what it should be.
func wantTensor(tb testing.TB, name string, got gotorch.Tensor, shape []int, want ...float64) {
	tb.Helper()
	if have := got.Shape(); !slices.Equal(have, shape) {
		tb.Errorf("%s: shape %v, want %v (%v)", name, have, shape, got.Err())
		return
	}
	values := gotorch.ToSlice[float64](got.To(gotorch.Float64))
	if len(values) != len(want) {
		tb.Errorf("%s: %v, want %v", name, values, want)
		return
	}
	for i, v := range values {
		if math.Abs(v-want[i]) > 1e-6*math.Max(1, math.Abs(want[i])) {
			tb.Errorf("%s[%d] = %v, want %v", name, i, v, want[i])
		}
	}
}

func dims(d ...int) []int { return d }
