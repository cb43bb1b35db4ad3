// Package modelflags reads the flags that choose how an exported model is run, and
// runs it as they say.
package modelflags

import (
	"context"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/check"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
)

// Compute says where and how to compute.
type Compute struct {
	fs        *pflag.FlagSet
	options   ioodin.Options
	memoryMiB int // of the GPU
}

// mostMiB is more than any GPU has.
const mostMiB = 1 << 20

// AddCompute defines --device, --threads, --tf32 and --gpu-memory.
func AddCompute(fs *pflag.FlagSet, device string) *Compute {
	c := &Compute{fs: fs}
	cli.AddDevice(fs, &c.options.Device, device)
	cli.AddThreads(fs, &c.options.Threads, "threads", "threads to compute with")
	fs.BoolVar(&c.options.TF32, "tf32", false, "on a GPU, compute faster with 11 significant bits; about one verdict in 10,000 changes")
	fs.Var(cli.Int(&c.memoryMiB, 0, mostMiB), "gpu-memory", "most `MiB` of a GPU for each batch size that it pads to (1, 8 and 32); 0 is no limit")
	return c
}

// Options returns what the flags say. log is told what "auto" chose.
func (c *Compute) Options(log *slog.Logger) (ioodin.Options, error) {
	opt := c.options
	if !opt.Device.IsCUDA() && !opt.Device.IsAuto() {
		for _, name := range []string{"tf32", "gpu-memory"} {
			if c.fs.Changed(name) {
				return opt, cli.Usagef("--%s has no meaning with --device %s: it is for a GPU", name, opt.Device)
			}
		}
	}
	opt.GPUMemory, opt.Logger = int64(c.memoryMiB)<<20, log
	return opt, nil
}

// Open opens an artifact with the score that the flags choose.
func (c *Compute) Open(path string, score *Score, log *slog.Logger) (*ioodin.Model, error) {
	return c.OpenDetailed(path, score, false, log)
}

// OpenDetailed is Open for a model that also tells the details of an image, if they are
// asked for.
func (c *Compute) OpenDetailed(path string, score *Score, details bool, log *slog.Logger) (*ioodin.Model, error) {
	opt, err := c.Options(log)
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
	opt.Score, opt.Details = &settings, details
	return ioodin.New(model, meta, opt)
}

// CheckDevice compares a device with the CPU, as ioodin.CheckDevice does, on an artifact
// with the score that the flags choose. Of its own flags Compute obeys --threads.
func (c *Compute) CheckDevice(ctx context.Context, device ascood.Device, path string, score *Score, images dataset.Dataset, log *slog.Logger) (*check.Report, error) {
	model, meta, err := artifact.Load(path)
	if err != nil {
		return nil, err
	}
	settings, err := score.Apply(meta.Score)
	if err != nil {
		return nil, err
	}
	opt := ioodin.Options{Device: device, Threads: c.options.Threads, Score: &settings, Logger: log}
	return ioodin.CheckDevice(ctx, model, meta, opt, images)
}
