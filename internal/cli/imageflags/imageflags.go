// Package imageflags reads the flags that say what of an image a network sees.
package imageflags

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

// Preprocess says how images become a network's input: a preset's name, or
// sizes and normalisation, or a preset and what is otherwise than it has it.
type Preprocess struct {
	fs     *pflag.FlagSet
	preset string
	own    preprocess.Config
}

// Add defines --preprocess and its long form.
func Add(fs *pflag.FlagSet) *Preprocess {
	p := &Preprocess{fs: fs}
	fs.StringVar(&p.preset, "preprocess", "", "preprocessing preset, which the flags below change: "+strings.Join(preprocess.Presets(), ", "))
	fs.IntVar(&p.own.PreSize, "pre-size", 0, "size that images are resized to, `pixels`")
	fs.IntVar(&p.own.ImageSize, "image-size", 0, "side of the square crop that the network sees, `pixels`")
	fs.Var(&channels{&p.own.Mean}, "mean", "mean of pixel/255 for `R,G,B`")
	fs.Var(&channels{&p.own.Std}, "std", "standard deviation of pixel/255 for `R,G,B`")
	fs.TextVar(&p.own.Resize, "resize", preprocess.ResizeShorter, "`shorter|squash` images: the shorter side becomes --pre-size, or both sides as in Resize((H,W))")
	fs.TextVar(&p.own.Interpolation, "interpolation", preprocess.Bilinear, "`bilinear|bicubic` filter to resize with")
	fs.TextVar(&p.own.Gray16, "gray16", preprocess.Clip, "`clip|scale` gray levels of 12 and 16 bits: those above 255 are white, as in PIL, or the upper 8 bits are kept")
	fs.TextVar(&p.own.Orientation, "exif-orientation", preprocess.Ignore, "`ignore|apply` the orientation that cameras note in JPEG, PNG and WebP files; the published networks were trained without it")
	fs.TextVar(&p.own.Truncated, "truncated", preprocess.Refuse, "`refuse|fill` JPEG, PNG and GIF files that end early; filled as by PIL's LOAD_TRUNCATED_IMAGES")
	return p
}

// needed are the flags that make up preprocessing without a preset.
var needed = []string{"pre-size", "image-size", "mean", "std"}

// given returns those of some flags that were given.
func (p *Preprocess) given(names ...string) (given []string) {
	for _, name := range names {
		if p.fs.Changed(name) {
			given = append(given, "--"+name)
		}
	}
	return given
}

// Flags are the names of all flags of preprocessing.
func Flags() []string {
	return append([]string{"preprocess", "resize", "interpolation", "gray16", "exif-orientation", "truncated"}, needed...)
}

// Config returns what the flags say, nil if they say nothing. Without a preset a part
// of what is needed is an error.
func (p *Preprocess) Config() (*preprocess.Config, error) {
	c, err := p.Over(preprocess.Config{})
	if err != nil || c == (preprocess.Config{}) {
		return nil, err
	}
	return &c, nil
}

// Truncated returns what --truncated says, nil if it is not given.
func (p *Preprocess) Truncated() *preprocess.Truncated {
	if p.given("truncated") == nil {
		return nil
	}
	return &p.own.Truncated
}

// Over returns base, or the preset if one is given, with what the flags change of it.
// Where there is neither, they must say all or nothing, but for --truncated, which
// changes whatever it turns out to be.
func (p *Preprocess) Over(base preprocess.Config) (preprocess.Config, error) {
	if p.preset != "" {
		if len(p.given(needed...)) == len(needed) {
			return base, cli.Usagef("--preprocess %s says nothing beside all of --%s: give one or the other", p.preset, strings.Join(needed, ", --"))
		}
		var err error
		if base, err = preprocess.Preset(p.preset); err != nil {
			return base, cli.Usagef("--preprocess: %w", err)
		}
	} else if base == (preprocess.Config{}) && len(p.given(needed...)) < len(needed) {
		if given := p.given(Flags()...); given != nil && !(len(given) == 1 && p.Truncated() != nil) {
			return base, cli.Usagef("%s: want --preprocess, which has the rest, or all of --%s", strings.Join(given, ", "), strings.Join(needed, ", --"))
		}
		return base, nil
	}
	if p.given(Flags()...) == nil {
		return base, nil
	}
	base = p.change(base)
	if err := base.Validate(); err != nil {
		return base, cli.Usagef("%w", err)
	}
	return base, nil
}

// change sets the fields whose flags are given.
func (p *Preprocess) change(base preprocess.Config) preprocess.Config {
	own := p.own
	for name, set := range map[string]func(){
		"pre-size":         func() { base.PreSize = own.PreSize },
		"image-size":       func() { base.ImageSize = own.ImageSize },
		"mean":             func() { base.Mean = own.Mean },
		"std":              func() { base.Std = own.Std },
		"resize":           func() { base.Resize = own.Resize },
		"interpolation":    func() { base.Interpolation = own.Interpolation },
		"gray16":           func() { base.Gray16 = own.Gray16 },
		"exif-orientation": func() { base.Orientation = own.Orientation },
		"truncated":        func() { base.Truncated = own.Truncated },
	} {
		if p.fs.Changed(name) {
			set()
		}
	}
	return base
}
