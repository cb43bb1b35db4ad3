package imageflags

import (
	"io"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

// TestReadingFlags: how files are read is said beside the rest, and changes a base.
func TestReadingFlags(t *testing.T) {
	parse := func(line string) *Preprocess {
		fs := cli.NewFlags("test", "", io.Discard)
		p := Add(fs)
		if err := fs.Parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	const all = "--gray16 scale --exif-orientation apply --truncated fill"
	want := preprocess.Reading{Gray16: preprocess.Scale, Orientation: preprocess.Apply, Truncated: preprocess.Fill}
	c, err := parse("--preprocess cifar10 " + all).Config()
	if err != nil || c.Reading != want {
		t.Errorf("with a preset: %+v, %v", c, err)
	}
	if over, err := parse("--gray16 clip").Over(*c); err != nil || over.Reading != (preprocess.Reading{Orientation: preprocess.Apply, Truncated: preprocess.Fill}) {
		t.Errorf("over a base: %+v, %v", over, err)
	}
	if c, err := parse("--truncated fill").Config(); c != nil || err != nil || *parse("--truncated fill").Truncated() != preprocess.Fill || parse("--gray16 clip").Truncated() != nil {
		t.Errorf("--truncated alone: %v, %v", c, err)
	}
	if _, err := parse(all).Config(); err == nil || !strings.Contains(err.Error(), "--gray16, --exif-orientation, --truncated: want --preprocess") {
		t.Errorf("alone: %v", err)
	}
}

func TestPreprocessFlags(t *testing.T) {
	long := "--pre-size 40 --image-size 32 --mean .1,.2,.3 --std .4,.5,.6"
	want := preprocess.Config{PreSize: 40, ImageSize: 32, Mean: [3]float64{.1, .2, .3}, Std: [3]float64{.4, .5, .6}}
	for line, fault := range map[string]string{
		"":                                "",
		long:                              "",
		"--preprocess cifar10":            "",
		"--preprocess nope":               "cifar10",
		long + " --preprocess cifar10":    "one or the other",
		"--pre-size 40":                   "--pre-size: want --preprocess, which has the rest, or all of --pre-size, --image-size, --mean, --std",
		"--resize squash --mean .1,.2,.3": "--resize, --mean: want --preprocess",
		strings.Replace(long, ".1,.2,.3", ".1,.2", 1):           "--mean .1,.2: want three numbers with commas between",
		strings.Replace(long, ".1,.2,.3", "[.1", 1):             "--mean [.1: want three numbers",
		strings.Replace(long, ".1,.2,.3", "0.1;0.2;0.3", 1):     "--mean 0.1;0.2;0.3: want three numbers",
		strings.Replace(long, ".1,.2,.3", "a,b,c", 1):           "--mean a,b,c: want three numbers",
		strings.Replace(long, ".1,.2,.3", "123.6,116.2,103", 1): "divide it by 255",
		strings.Replace(long, "40", "0", 1):                     "pre",
		"--preprocess cifar10 --resize longer":                  "--resize longer: unknown resize \"longer\"; known are shorter, squash",
		"--preprocess cifar10 --interpolation nearest":          "--interpolation nearest: unknown interpolation \"nearest\"; known are bilinear, bicubic",
	} {
		fs := cli.NewFlags("prog", "", io.Discard)
		p := Add(fs)
		err := cli.Parse(fs, strings.Fields(line), false)
		var c *preprocess.Config
		if err == nil {
			c, err = p.Config()
		}
		switch {
		case fault != "":
			if err == nil || !strings.Contains(err.Error(), fault) || cli.Report(io.Discard, "prog", err) != cli.StatusUsage {
				t.Errorf("%q: error %v, want one of usage that says %q", line, err, fault)
			}
		case err != nil:
			t.Errorf("%q: %v", line, err)
		case (line == "") != (c == nil):
			t.Errorf("%q gives %v", line, c)
		case line == long && *c != want:
			t.Errorf("%q gives %+v", line, *c)
		}
	}
}

// TestFlagsChangeAPreset: what else is said stands.
func TestFlagsChangeAPreset(t *testing.T) {
	imagenet, err := preprocess.Preset("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	changed := imagenet
	changed.ImageSize, changed.Resize, changed.Interpolation = 128, preprocess.ResizeSquash, preprocess.Bicubic
	half := preprocess.Config{PreSize: 40, ImageSize: 32, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.5, .5, .5}}
	other := half
	other.Std = [3]float64{.1, .2, .3}
	for _, c := range []struct {
		line       string
		base, want preprocess.Config
	}{
		{"--preprocess imagenet --image-size 128 --resize squash --interpolation bicubic", preprocess.Config{}, changed},
		{"--image-size 128 --resize squash --interpolation bicubic", imagenet, changed},
		{"--preprocess imagenet", half, imagenet},
		{"--std .1,.2,.3", half, other},
		{"", half, half},
	} {
		fs := cli.NewFlags("prog", "", io.Discard)
		p := Add(fs)
		if err := cli.Parse(fs, strings.Fields(c.line), false); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Over(c.base); err != nil || got != c.want {
			t.Errorf("%q over %v gives %v (%v), want %v", c.line, c.base, got, err, c.want)
		}
	}
}
