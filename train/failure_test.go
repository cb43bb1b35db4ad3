package train

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/runs"
)

// TestFailures: what becomes of an error of libtorch depends on whether the device
// still works, and on what was saved.
func TestFailures(t *testing.T) {
	failed := fmt.Errorf("epoch 2, step 1: %w", &gotorch.OpError{Op: "relu", Err: errors.New("CUDA error: unspecified launch failure")})
	r := &run{config: Config{BatchSize: 512}, options: Options{Output: t.TempDir()}}
	last := filepath.Join(r.options.Output, runs.LastFile)
	for _, err := range []error{nil, errors.New("disk full"), failed} {
		if got := r.explain(err); got != err {
			t.Errorf("on a device that works, %v became %v", err, got)
		}
	}

	r.input.at.device = gotorch.CUDA(99) // does not work, on any machine
	if err := errors.New("disk full"); r.explain(err) != err {
		t.Errorf("%v is taken for a failure of the device", err)
	}
	const cause = "the device is lost: epoch 2, step 1: gotorch: relu(): CUDA error: unspecified launch failure; "
	for _, test := range []struct{ saved, want string }{
		{"", cause + "nothing had been saved"},
		{last, cause + last + " has the state that was saved last"},
	} {
		if test.saved != "" {
			write(t, test.saved, nil)
		}
		got := r.explain(failed)
		lost, ok := errors.AsType[*DeviceLost](got)
		if !ok || lost.Saved != test.saved || lost.Output != r.options.Output || got.Error() != test.want || !errors.Is(got, failed) {
			t.Errorf("with %q saved: %v, want %s", test.saved, got, test.want)
		}
	}

	s := gotorch.NewScope()
	defer s.Close()
	gotorch.Zeros(s, []int{1 << 50})
	got := r.explain(fmt.Errorf("epoch 1, step 1: %w", s.Err()))
	if ascood.CodeOf(got) != ascood.Unavailable || !strings.HasPrefix(message(got), "epoch 1, step 1: gotorch: zeros(") || !strings.HasSuffix(message(got), "; lower batch_size 512") {
		t.Errorf("out of memory: %v", got)
	}
}
