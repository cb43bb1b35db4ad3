// Package imageflags reads the flags that say what of an image a network sees.
package imageflags

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

// Preprocess says how images become a network's input: a preset's name, or
// sizes and normalisation.
type Preprocess struct {
	fs        *pflag.FlagSet
	preset    string
	pre, size int
	mean, std []float64
	reading   preprocess.Reading
}

// Add defines --preprocess and its long form.
func Add(fs *pflag.FlagSet) *Preprocess {
	p := &Preprocess{fs: fs}
	fs.StringVar(&p.preset, "preprocess", "", "preprocessing preset: "+strings.Join(preprocess.Presets(), ", "))
	fs.IntVar(&p.pre, "pre-size", 0, "shorter side of the resized image, `pixels`")
	fs.IntVar(&p.size, "image-size", 0, "side of the square crop that the network sees, `pixels`")
	fs.Float64SliceVar(&p.mean, "mean", nil, "mean of pixel/255 for `R,G,B`")
	fs.Float64SliceVar(&p.std, "std", nil, "standard deviation of pixel/255 for `R,G,B`")
	fs.Lookup("mean").DefValue, fs.Lookup("std").DefValue = "", "" // no "(default [])" in the help
	addReading(fs, &p.reading)
	return p
}

// Config returns what the flags say, nil if they say nothing. A part of the long
// form, or both forms at once, is an error.
func (p *Preprocess) Config() (*preprocess.Config, error) {
	long := []string{"pre-size", "image-size", "mean", "std"}
	given := 0
	for _, name := range long {
		if p.fs.Changed(name) {
			given++
		}
	}
	switch {
	case p.preset != "" && given > 0:
		return nil, cli.Usagef("--preprocess %s already says what --%s say: give one or the other", p.preset, strings.Join(long, ", --"))
	case p.preset != "":
		c, err := preprocess.Preset(p.preset)
		if err != nil {
			return nil, cli.Usagef("--preprocess: %w", err)
		}
		c = p.read(c)
		return &c, nil
	case given == 0:
		return nil, p.alone()
	case given < len(long):
		return nil, cli.Usagef("--%s belong together: give all four, or --preprocess", strings.Join(long, ", --"))
	case len(p.mean) != 3 || len(p.std) != 3:
		return nil, cli.Usagef("--mean and --std take three numbers each, such as .5,.5,.5")
	}
	c := preprocess.Config{PreSize: p.pre, ImageSize: p.size, Mean: [3]float64(p.mean), Std: [3]float64(p.std)}
	c = p.read(c)
	return &c, usage(c.Validate())
}

// Over returns base with what the flags change of it. Where base is zero there
// is nothing to change: they must say all or nothing.
func (p *Preprocess) Over(base preprocess.Config) (preprocess.Config, error) {
	if base == (preprocess.Config{}) || p.preset != "" {
		c, err := p.Config()
		if c == nil {
			return base, err
		}
		return *c, err
	}
	if p.fs.Changed("pre-size") {
		base.PreSize = p.pre
	}
	if p.fs.Changed("image-size") {
		base.ImageSize = p.size
	}
	for flag, channels := range map[string]*[3]float64{"mean": &base.Mean, "std": &base.Std} {
		values, err := p.fs.GetFloat64Slice(flag)
		switch {
		case !p.fs.Changed(flag):
		case err != nil || len(values) != 3:
			return base, cli.Usagef("--%s takes three numbers, such as .5,.5,.5", flag)
		default:
			*channels = [3]float64(values)
		}
	}
	return p.read(base), usage(base.Validate())
}

// usage marks an error as one of the command line.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return cli.Usagef("%w", err)
}
