package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/runs"
	"github.com/ascood/ascood/train"
)

// train makes the run, or one for each seed.
func (f *flags) train(ctx context.Context) error {
	if f.resume {
		return train.Resume(ctx, f.options)
	}
	if len(f.seeds) == 0 {
		return train.Run(ctx, f.config, f.options)
	}
	output := f.options.Output
	for _, seed := range f.seeds { // not after a day of the others
		last := filepath.Join(runs.Seed(output, seed), runs.LastFile)
		if _, err := os.Lstat(last); !errors.Is(err, fs.ErrNotExist) {
			return ascood.Errorf(ascood.Invalid, "%s is there already: leave its seed out, or continue its run with --resume", last)
		}
	}
	for _, seed := range f.seeds {
		c, o := f.config, f.options
		c.Seed, o.Output = seed, runs.Seed(output, seed)
		o.Log = o.Log.With("seed", seed)
		if err := train.Run(ctx, c, o); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
	}
	return nil
}

// results is the folder of a preset's run under the name that the reference
// implementations give it; without the seed if there are several.
func (f *flags) results() string {
	folder := filepath.Join("results", resultsName(f.config))
	if len(f.seeds) > 0 {
		return folder
	}
	return runs.Seed(folder, f.config.Seed)
}

func resultsName(c train.Config) string {
	switch c.Method {
	case train.MethodASCOOD:
	case train.MethodCE:
		return fmt.Sprintf("%s_%s_base_e%d_lr%s_default", c.Preset, cmp.Or(c.Arch, "onnx"), c.Epochs, pythonFloat(c.LR))
	default:
		return fmt.Sprintf("%s_%s_%s_e%d_lr%s_default", c.Preset, cmp.Or(c.Arch, "onnx"), c.Method, c.Epochs, pythonFloat(c.LR))
	}
	mark := "default"
	if c.Pixels == train.PixelsRandom {
		mark = "random"
	}
	return fmt.Sprintf("%s_ascood_net_ascood_e%d_lr%s_w%s_p%s_otype_%s_alpha_%s_%s_%s", c.Preset, c.Epochs, pythonFloat(c.LR),
		pythonFloat(c.W), pythonFloat(c.PInv), c.OODType, pythonFloat(c.AlphaMin), pythonFloat(c.AlphaMax), mark)
}

// pythonFloat writes a number as Python does.
func pythonFloat(v float64) string {
	if v != 0 && (v < 1e-4 || v >= 1e16) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}
