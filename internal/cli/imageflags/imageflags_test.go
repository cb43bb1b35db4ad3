package imageflags

import (
	"io"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

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
