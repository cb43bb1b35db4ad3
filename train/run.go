package train

import (
	"context"
	"log/slog"
	"runtime"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/runs"
)

// Options say where and how a run takes place, not what comes out of it.
type Options struct {
	Output  string // folder for the files that package runs names
	Device  ascood.Device
	Threads int          // that libtorch may use; 0 is one a processor
	Workers int          // goroutines that load images; 0 is one a processor
	ONNX    importer.Run // evaluates graphs, for networks of Config.ONNX; may be nil for others
	Log     *slog.Logger // nil logs nothing
	Report  func(Event)  // called after each step and each epoch; may be nil
}

// Validate reports a negative number of threads or workers. What the device and
// the output folder are worth shows in Run.
func (o Options) Validate() error {
	for _, n := range []struct {
		field ascood.Field
		value int
	}{{"threads", o.Threads}, {"workers", o.Workers}} {
		if n.value < 0 {
			return ascood.Errorf(ascood.Invalid, "%s %d: must be at least 1, or 0 for one a core", n.field, n.value)
		}
	}
	return nil
}

// Run trains a network from the start. It returns an error before any work is
// done if the configuration, the data, the device or the output folder will not
// do, or if the folder holds a run already. When ctx ends, the step at hand is
// finished and the state saved; the error is then an *Interruption.
func Run(ctx context.Context, c Config, o Options) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := c.fill(); err != nil {
		return err
	}
	if err := o.Validate(); err != nil {
		return err
	}
	if name := runs.Holds(o.Output); name != "" {
		return ascood.Errorf(ascood.Invalid, "%s already holds a run (%s): continue it with %s, or choose another %s",
			o.Output, name, ascood.Field("resume"), ascood.Field("output"))
	}
	if err := runs.Create(o.Output); err != nil {
		return ascood.In("output", err)
	}
	return start(ctx, c, o, nil)
}

// Resume continues the run in o.Output with its own configuration, and ends as
// if it had never stopped. A finished run is left as it is.
func Resume(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	saved, err := load(o.Output)
	if err != nil {
		return err
	}
	if saved.at.Epochs < saved.config.Epochs {
		if err := runs.CheckWritable(o.Output); err != nil {
			return ascood.In("output", err)
		}
	}
	return start(ctx, saved.config, o, saved)
}

func start(ctx context.Context, c Config, o Options, saved *saved) error {
	// OpenMP keeps a team of threads for every thread that calls it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	scope := gotorch.NewScope()
	defer scope.Close()
	r, err := prepare(scope, c, o.withDefaults(), saved)
	if err != nil {
		return err
	}
	if saved == nil {
		if err := r.saveConfig(); err != nil {
			return err
		}
	}
	return r.explain(r.train(ctx))
}

// withDefaults replaces what is nil or 0 by what that stands for.
func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	return o
}
