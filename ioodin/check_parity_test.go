package ioodin

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/check"
)

// TestAgreement: each way in which two devices can differ fails its own line, and
// what rounding may change fails none.
func TestAgreement(t *testing.T) {
	at := float32Limits
	at.score = 1e-3
	want, logits := Result{Score: 0.5, Prediction: 1}, []float32{-2, 4, 3.9999}
	for name, test := range map[string]struct {
		got    Result
		logits []float32
		fails  string
	}{
		"equal":              {want, logits, ""},
		"rounding":           {Result{Score: 0.5 + 9e-4, Prediction: 1}, []float32{-2.0001, 4.0001, 4}, ""},
		"a tie":              {Result{Score: 0.5, Prediction: 2}, logits, ""},
		"logits":             {want, []float32{-2, 4, 3.999}, "logits, largest difference, relative: 0.000225"},
		"a logit is no more": {want, []float32{-2, float32(math.NaN()), 3.9999}, "logits, largest difference, relative: NaN"},
		"score":              {Result{Score: 0.498, Prediction: 1}, logits, "scores, largest difference: 0.002"},
		"class":              {Result{Score: 0.5, Prediction: 0}, logits, "images of another class: 1"},
	} {
		a := agreement{limits: at}
		a.add(want, test.got, logits, test.logits)
		expectFailure(t, name, &a, test.fails)
	}

	c, err := artifact.Calibrate([]float64{0.1, 0.2, 0.5, 0.6, 0.7}, 0.6, artifact.Score{Name: artifact.ScoreMSP, Temperature: 1}, "test")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		want, got float64
		fails     string
	}{
		"other side, within rounding": {0.5, 0.4995, ""},
		"other side, by far":          {0.6, 0.4, "images of another verdict: 1"},
		"same side":                   {0.6, 0.55, ""},
	} {
		a := agreement{limits: limits{logits: 1, score: 1e-3}, calibration: c}
		a.add(Result{Score: test.want}, Result{Score: test.got}, logits, logits)
		a.difference = 0
		expectFailure(t, name, &a, test.fails)
	}

	a := agreement{limits: at, indices: 100, sameIndex: 98}
	expectFailure(t, "index", &a, "share of equal iodin_index: 0.98")
	a.sameIndex = 99
	expectFailure(t, "index within the limit", &a, "")
}

// expectFailure looks for the one line that fails, or for none.
func expectFailure(t *testing.T, name string, a *agreement, fails string) {
	t.Helper()
	r := &check.Report{}
	a.report(r.Section("s"))
	var failed []string
	for _, l := range r.Sections[0].Lines {
		if l.Failed {
			failed = append(failed, fmt.Sprintf("%s: %s", l.Name, l.Value))
		}
	}
	if got := strings.Join(failed, "; "); got != fails {
		t.Errorf("%s: it fails for %q, want %q", name, got, fails)
	}
}

// TestFixedImages: they are the same on every machine, and not all alike.
func TestFixedImages(t *testing.T) {
	images := fixedImages(64, 5)
	sum := 0
	for _, image := range images {
		if len(image) != 5*5*3 {
			t.Fatalf("an image has %d bytes", len(image))
		}
		for i, v := range image {
			sum += (i + 1) * int(v)
		}
	}
	if want := 22841899; sum != want {
		t.Errorf("the weighted sum of all bytes is %d, want %d", sum, want)
	}
	if string(images[0]) == string(images[6]) {
		t.Error("images of one kind are equal")
	}
	if one, other := images[5][:3], images[5][len(images[5])-3:]; string(one) != string(other) {
		t.Errorf("a square of 32 pixels has the colours %v and %v", one, other)
	}
}
