package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
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
		"GPU lost":    {fmt.Errorf("serve: %w", ascood.ErrDeviceLost), StatusDeviceLost, "prog: serve: the GPU is lost to this process\n"},
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

func TestStatus(t *testing.T) {
	var out bytes.Buffer
	s := NewStatus(&out, false)
	s.Show(10, 40, "scoring")
	if out.Len() > 0 {
		t.Errorf("printed\n%s within the minute", out.String())
	}
	s.every, s.next = 0, s.start
	s.Show(20, 40, "scoring")
	s.Show(40, 40, "scoring")
	s.Clear()
	if got := out.String(); !strings.HasPrefix(got, "scoring: 20 of 40 images, ") || !strings.Contains(got, "\nscoring: 40 of 40 images, 0s left, ") || !strings.HasSuffix(got, " images/s\n") {
		t.Errorf("printed\n%s", got)
	}
	out.Reset()
	s = NewStatus(&out, true)
	s.every = time.Hour
	s.Show(10, 40, strings.Repeat("scoring ", 10))
	s.Show(20, 40, "scoring")
	s.Clear()
	const clear = "\r\x1b[K"
	if got, want := out.String(), clear+strings.Repeat("scoring ", 10)[:79]+clear; got != want {
		t.Errorf("a terminal got %q, want %q", got, want)
	}
}

func TestValues(t *testing.T) {
	for line, says := range map[string]string{
		"--count 0":    "--count 0: must be from 1 to 9",
		"--count 10":   "--count 10: must be from 1 to 9",
		"--count many": "--count many: must be from 1 to 9",
		"--share NaN":  "--share NaN: must be from 0 to 1",
		"--wait 1h":    "--wait 1h: must be from 0s to 1m0s",
		"--threads -1": "--threads -1: must be from 0 to 1024",
		"--device gpu": `--device gpu: unknown device "gpu"`,
		"--plain x":    "--plain x: must be an integer",
		"--names a,,b": "--names a,,b: want names separated by commas",
		"--count 9 --share 0.5 --wait 2s --threads 0 --device cuda:1 --plain 3 --names a\"b,c --names= --names d": "",
	} {
		fs := NewFlags("prog", "", io.Discard)
		count, share, wait, threads := 1, 0., time.Second, 0
		var device ascood.Device
		var names []string
		fs.Var(Int(&count, 1, 9), "count", "")
		fs.Var(Float(&share, 0, 1), "share", "")
		fs.Var(Duration(&wait, 0, time.Minute), "wait", "")
		fs.Int("plain", 0, "")
		fs.Var(Names(&names), "names", "")
		AddThreads(fs, &threads, "threads", "")
		AddDevice(fs, &device, "cpu")
		err := Parse(fs, strings.Fields(line), false)
		switch {
		case says != "":
			if err == nil || !strings.Contains(err.Error(), says) || Report(io.Discard, "prog", err) != StatusUsage {
				t.Errorf("%s: %v, want %q and the status of a wrong command line", line, err, says)
			}
		case err != nil || count != 9 || share != 0.5 || wait != 2*time.Second || device != ascood.CUDA(1), !slices.Equal(names, []string{`a"b`, "c", "d"}):
			t.Errorf("%s: %v, %v %v %v %v %q", line, err, count, share, wait, device, names)
		}
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	fs := NewFlags("prog", "", &out)
	err := Parse(fs, []string{"--version"}, false)
	if Report(io.Discard, "prog", err) != 0 || err == nil || !strings.HasPrefix(out.String(), "prog "+ascood.Version+" (go") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
}
