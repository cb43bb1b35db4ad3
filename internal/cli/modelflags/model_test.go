package modelflags

import (
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
)

func TestComputeFlags(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	auto, err := ascood.ParseDevice("auto")
	if err != nil {
		t.Fatal(err)
	}
	for line, test := range map[string]struct {
		want ioodin.Options
		says string
	}{
		"":                       {ioodin.Options{Logger: log}, ""},
		"--threads 3":            {ioodin.Options{Threads: 3, Logger: log}, ""},
		"--device cuda:1 --tf32": {ioodin.Options{Device: ascood.CUDA(1), TF32: true, Logger: log}, ""},
		"--device auto --gpu-memory 2048 --tf32=false": {ioodin.Options{Device: auto, GPUMemory: 2 << 30, Logger: log}, ""},
		"--device cpu --tf32":                          {says: "--tf32 has no meaning with --device cpu"},
		"--gpu-memory 0":                               {says: "--gpu-memory has no meaning with --device cpu"},
		"--gpu-memory -1 --device cuda":                {says: "--gpu-memory -1: must be from 0 to 1048576"},
	} {
		fs := cli.NewFlags("prog", "", io.Discard)
		c := AddCompute(fs, "cpu")
		err := cli.Parse(fs, strings.Fields(line), false)
		var got ioodin.Options
		if err == nil {
			got, err = c.Options(log)
		}
		if test.says != "" {
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q: error %v, want %q", line, err, test.says)
			}
		} else if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q gives %+v, %v; want %+v", line, got, err, test.want)
		}
	}
}
