package cli

import (
	"io"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
)

// AddDevice defines --device.
func AddDevice(fs *pflag.FlagSet, otherwise string) *string {
	return fs.String("device", otherwise, "where to compute: cpu, cuda, cuda:N or auto, which takes a GPU if there is one")
}

// OpenModel opens an artifact as the flags say.
func OpenModel(path string, score *ScoreFlags, device string, threads int, logs *slog.Logger) (*ioodin.Model, error) {
	opt, err := ModelOptions(device, threads, logs)
	if err != nil {
		return nil, err
	}
	model, meta, err := artifact.Load(path)
	if err != nil {
		return nil, err
	}
	settings, err := score.Apply(meta.Score)
	if err != nil {
		return nil, err
	}
	opt.Score = &settings
	return ioodin.New(model, meta, opt)
}

// mostThreads is more than any machine can use, and few enough to start.
const mostThreads = 1024

// ModelOptions returns how to run an artifact as --device and --threads say.
func ModelOptions(device string, threads int, logs *slog.Logger) (ioodin.Options, error) {
	if threads < 0 || threads > mostThreads {
		return ioodin.Options{}, Usagef("--threads %d: must be from 1 to %d, or 0 for one a core", threads, mostThreads)
	}
	on, err := ascood.ParseDevice(device)
	if err != nil {
		return ioodin.Options{}, &usageError{err}
	}
	return ioodin.Options{Device: on, Threads: threads, Logger: logs}, nil
}

// Logger writes log lines for a person to read.
func Logger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
