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
	if _, err := parse(all).Config(); err == nil || !strings.Contains(err.Error(), "--gray16, --exif-orientation, --truncated: needs --preprocess") {
		t.Errorf("alone: %v", err)
	}
}

func TestPreprocessFlags(t *testing.T) {
	long := "--pre-size 40 --image-size 32 --mean .1,.2,.3 --std .4,.5,.6"
	want := preprocess.Config{PreSize: 40, ImageSize: 32, Mean: [3]float64{.1, .2, .3}, Std: [3]float64{.4, .5, .6}}
	for line, fault := range map[string]string{
		"":                                  "",
		long:                                "",
		"--preprocess cifar10":              "",
		"--preprocess nope":                 "cifar10",
		"--preprocess cifar10 --pre-size 3": "one or the other",
		"--pre-size 40":                     "belong together",
		strings.Replace(long, ".1,.2,.3", ".1,.2", 1): "three numbers",
		strings.Replace(long, "40", "0", 1):           "pre",
	} {
		fs := cli.NewFlags("prog", "", io.Discard)
		p := Add(fs)
		if err := cli.Parse(fs, strings.Fields(line), false); err != nil {
			t.Fatal(err)
		}
		c, err := p.Config()
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
