package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/preprocess"
)

func TestReport(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"done":        {nil, 0, ""},
		"help":        {pflag.ErrHelp, 0, ""},
		"failure":     {errors.New("no luck"), StatusFailed, "prog: no luck\n"},
		"usage":       {Usagef("--x is missing"), StatusUsage, "prog: --x is missing\nSee prog --help.\n"},
		"interrupted": {fmt.Errorf("stopped: %w", context.Canceled), StatusInterrupted, "stopped"},
	} {
		var stderr bytes.Buffer
		if status := Report(&stderr, "prog", c.err); status != c.status {
			t.Errorf("%s: status %d, want %d", name, status, c.status)
		}
		if said := stderr.String(); !strings.Contains(said, c.says) || (c.says == "") != (said == "") {
			t.Errorf("%s: said %q, want %q", name, said, c.says)
		}
	}
}

func TestUsageErrorsAreInvalid(t *testing.T) {
	if code := ascood.CodeOf(fmt.Errorf("more: %w", Usagef("no"))); code != ascood.Invalid {
		t.Errorf("code %s", code)
	}
}

func TestParse(t *testing.T) {
	flags := func() *pflag.FlagSet {
		fs := NewFlags("prog", "prog does things\n", io.Discard)
		fs.String("file", "", "`file` to read")
		return fs
	}
	if err := Parse(flags(), []string{"word"}, false); err == nil || !strings.Contains(err.Error(), `"word"`) {
		t.Errorf("a word: %v", err)
	}
	if err := Parse(flags(), []string{"word"}, true); err != nil {
		t.Errorf("a word where some are taken: %v", err)
	}
	if err := Parse(flags(), []string{"--nope"}, false); err == nil || Report(io.Discard, "prog", err) != StatusUsage {
		t.Errorf("an unknown flag: %v", err)
	}
	fs := flags()
	if err := Parse(fs, nil, false); err != nil {
		t.Fatal(err)
	}
	if err := Require(fs, "file"); err == nil || !strings.Contains(err.Error(), "--file is missing") {
		t.Errorf("a missing flag: %v", err)
	}
}

func TestProgressLines(t *testing.T) {
	var out bytes.Buffer
	add := progressLines(&out, 40, "scoring", 0)
	add(10)
	add(30)
	if got := out.String(); !strings.HasPrefix(got, "scoring: 10 of 40 images, ") || !strings.Contains(got, "scoring: 40 of 40 images, ") || !strings.HasSuffix(got, " 0s left\n") {
		t.Errorf("printed\n%s", got)
	}
	out.Reset()
	add = progressLines(&out, 40, "scoring", time.Hour)
	add(10)
	if out.Len() > 0 {
		t.Errorf("printed\n%s within the hour", out.String())
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
		fs := NewFlags("prog", "", io.Discard)
		p := AddPreprocess(fs)
		if err := Parse(fs, strings.Fields(line), false); err != nil {
			t.Fatal(err)
		}
		c, err := p.Config()
		switch {
		case fault != "":
			if err == nil || !strings.Contains(err.Error(), fault) {
				t.Errorf("%q: error %v, want one that says %q", line, err, fault)
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

func TestScoreFlags(t *testing.T) {
	own := artifact.Score{Method: artifact.MethodIODIN, Temperature: 10, Noise: 0.5}
	for line, want := range map[string]artifact.Score{
		"":                            own,
		"--score iodin":               own,
		"--noise 0":                   {Method: artifact.MethodIODIN, Temperature: 10, Noise: 0},
		"--score odin":                {Method: artifact.MethodODIN, Temperature: 1000, Noise: 0.0014},
		"--score msp --temperature 2": {Method: artifact.MethodMSP, Temperature: 2},
	} {
		fs := NewFlags("prog", "", io.Discard)
		s := AddScore(fs, "")
		if err := Parse(fs, strings.Fields(line), false); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Apply(own); err != nil || got != want {
			t.Errorf("%q gives %+v, %v; want %+v", line, got, err, want)
		}
	}
}
