package gotorch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

func TestFlags(t *testing.T) {
	flags := []gotorch.Flag{gotorch.BenchmarkCuDNN, gotorch.TF32CuDNN, gotorch.TF32CuBLAS, gotorch.Deterministic}
	read := func(f gotorch.Flag) bool {
		t.Helper()
		on, err := f.IsOn()
		if err != nil {
			t.Fatal(err)
		}
		return on
	}
	set := func(f gotorch.Flag, on bool) {
		t.Helper()
		if err := f.Set(on); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CUBLAS_WORKSPACE_CONFIG", "") // and is put back
	for _, f := range flags {
		before := read(f)
		t.Cleanup(func() { set(f, before) })
		if before != (f == gotorch.TF32CuDNN) {
			t.Errorf("flag %d is %v at first", f, before)
		}
		set(f, false)
	}
	for _, f := range flags { // each alone
		set(f, true)
		for _, other := range flags {
			if on := read(other); on != (other == f) {
				t.Errorf("after setting flag %d, flag %d is %v", f, other, on)
			}
		}
		set(f, false)
	}
	if got := os.Getenv("CUBLAS_WORKSPACE_CONFIG"); got != ":4096:8" {
		t.Errorf("cuBLAS's workspace is %q", got)
	}
	if err := gotorch.Flag(9).Set(true); err == nil || !strings.Contains(err.Error(), "there is no flag 9") {
		t.Errorf("an unknown flag: %v", err)
	}
}
