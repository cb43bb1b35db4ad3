package train

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/runs"
)

// DeviceLost is the error of a run whose GPU has failed: nothing can be computed or
// copied from it any more in this process. What was trained since Saved was written is
// lost.
type DeviceLost struct {
	Output string // the run's folder
	Saved  string // the file in it to resume from; "" if there is none yet
	Err    error  // what failed first
}

func (d *DeviceLost) Error() string {
	if d.Saved == "" {
		return fmt.Sprintf("the device is lost: %v; nothing had been saved", d.Err)
	}
	return fmt.Sprintf("the device is lost: %v; %s has the state that was saved last", d.Err, d.Saved)
}

// Unwrap returns what failed first.
func (d *DeviceLost) Unwrap() error { return d.Err }

// explain says what can be done about an operation that failed.
func (r *run) explain(err error) error {
	if _, ok := errors.AsType[*gotorch.OpError](err); !ok {
		return err
	}
	if errors.Is(err, gotorch.ErrOutOfMemory) {
		return ascood.Errorf(ascood.Unavailable, "%w; lower %s %d", err, ascood.Field("batch_size"), r.config.BatchSize)
	}
	if r.input.at.device.Available() == nil {
		return err
	}
	lost := &DeviceLost{Output: r.options.Output, Err: err}
	if saved := filepath.Join(r.options.Output, runs.LastFile); exists(saved) {
		lost.Saved = saved
	}
	return lost
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
