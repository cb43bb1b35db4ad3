package ascood

import (
	"strings"
	"testing"
)

func TestParseDevice(t *testing.T) {
	for text, want := range map[string]Device{
		"cpu": {}, "cuda": CUDA(0), "cuda:0": CUDA(0), "cuda:12": CUDA(12), "auto": {auto: true},
	} {
		d, err := ParseDevice(text)
		if err != nil || d != want {
			t.Errorf("%s gives %+v, %v; want %+v", text, d, err, want)
		}
		if again, err := ParseDevice(d.String()); err != nil || again != d {
			t.Errorf("%s is written as %s, which gives %+v, %v", text, d, again, err)
		}
	}
	for text, says := range map[string]string{
		"": "known are cpu, cuda, cuda:N and auto", "gpu": `"gpu"`, "CUDA": "known are", "cuda:": "number of a GPU",
		"cuda:-1": `"-1"`, "cuda:1.5": `"1.5"`, "cuda:999": `"999"`, "cuda0": "known are",
	} {
		if _, err := ParseDevice(text); CodeOf(err) != Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want one that says %q", text, err, says)
		}
	}
}
