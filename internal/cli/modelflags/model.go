// Package modelflags reads the flags that choose how an exported model is run, and
// runs it as they say.
package modelflags

import (
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
)

// Compute says where and how to compute.
type Compute struct{ ioodin.Options }

// AddCompute defines --device and --threads.
func AddCompute(fs *pflag.FlagSet, device string) *Compute {
	c := &Compute{}
	cli.AddDevice(fs, &c.Device, device)
	cli.AddThreads(fs, &c.Threads, "threads", "threads to compute with")
	return c
}

// Open opens an artifact with the score that the flags choose.
func (c *Compute) Open(path string, score *Score, log *slog.Logger) (*ioodin.Model, error) {
	model, meta, err := artifact.Load(path)
	if err != nil {
		return nil, err
	}
	settings, err := score.Apply(meta.Score)
	if err != nil {
		return nil, err
	}
	opt := c.Options
	opt.Score, opt.Logger = &settings, log
	return ioodin.New(model, meta, opt)
}
