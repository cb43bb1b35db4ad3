package check

import (
	"math"
	"strings"
	"testing"
)

func text(t *testing.T, r *Report, json bool) string {
	t.Helper()
	var out strings.Builder
	write := r.WriteText
	if json {
		write = r.WriteJSON
	}
	if err := write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPass(t *testing.T) {
	r := &Report{}
	found := r.Section("found")
	found.Fact("device", "cuda:0")
	speed := r.Section("speed")
	speed.Number("CPU", 12345.6, "images/s")
	speed.AtMost("difference", 1.25e-7, 1e-4)
	speed.AtLeast("equal", 1, 1)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	want := `found
  device  cuda:0  
speed
  CPU         12346 images/s  
  difference  1.25e-07        at most 0.0001: ok
  equal       1               at least 1: ok
PASS
`
	if got := text(t, r, false); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
	json := `{
  "passed": true,
  "sections": [
    {
      "name": "found",
      "lines": [
        {
          "name": "device",
          "value": "cuda:0"
        }
      ]
    },
    {
      "name": "speed",
      "lines": [
        {
          "name": "CPU",
          "value": 12345.6
        },
        {
          "name": "difference",
          "value": 1.25e-7,
          "want": "at most 0.0001"
        },
        {
          "name": "equal",
          "value": 1,
          "want": "at least 1"
        }
      ]
    }
  ]
}
`
	if got := text(t, r, true); got != json {
		t.Errorf("JSON is\n%s\nwant\n%s", got, json)
	}
}

func TestFail(t *testing.T) {
	r := &Report{}
	s := r.Section("parity")
	s.AtMost("loss", 0.5, 1e-4)
	s.AtMost("gradients", math.NaN(), 1)
	s.AtLeast("predictions", 0.99, 1)
	s.AtLeast("no number", math.NaN(), 0)
	s.AtMost("fine", 1e-4, 1e-4)
	r.Section("empty")
	r.Section("found").Fault("libcudnn.so.9", "MISSING", "no libcudnn.so.9 (package libcudnn9)")
	if err := r.Err(); err == nil || err.Error() != "the check failed in 5 of its lines" {
		t.Errorf("error %v", err)
	}
	got := text(t, r, false)
	want := `FAIL
  parity: loss: 0.5, want at most 0.0001
  parity: gradients: NaN, want at most 1
  parity: predictions: 0.99, want at least 1
  parity: no number: NaN, want at least 0
  found: no libcudnn.so.9 (package libcudnn9)
`
	if !strings.HasSuffix(got, want) || strings.Count(got, "FAILED\n") != 5 || !strings.Contains(got, "at most 0.0001: ok\n") {
		t.Errorf("the table is\n%s\nwant at its end\n%s", got, want)
	}
	for _, part := range []string{`"passed": false`, `"value": "NaN"`, `"failed": true`, `"fault": "no libcudnn.so.9 (package libcudnn9)"`, `"lines": []`} {
		if json := text(t, r, true); !strings.Contains(json, part) {
			t.Errorf("%s is not in\n%s", part, json)
		}
	}
}
