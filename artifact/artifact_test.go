package artifact

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/onnx"
)

func TestCalibrateKeepsTPR(t *testing.T) {
	for _, n := range []int{20, 99, 100, 101, 1000} {
		scores := make([]float64, n)
		for i := range scores {
			scores[i] = float64((i * 7919) % n) // each of 0…n-1 once
		}
		c, err := Calibrate(scores, 0.95, Score{}, "")
		if err != nil {
			t.Fatal(err)
		}
		kept := 0
		for _, s := range scores {
			if c.Decide(s).Verdict == InDistribution {
				kept++
			}
		}
		if kept < int(math.Ceil(0.95*float64(n))) || kept > int(math.Ceil(0.95*float64(n))) {
			t.Errorf("of %d scores the threshold %v keeps %d", n, c.Threshold, kept)
		}
	}
}

func TestPValue(t *testing.T) {
	c, err := Calibrate([]float64{4, 1, 2, 2, 3}, 0.5, Score{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for score, want := range map[float64]float64{0.5: 1. / 6, 1: 2. / 6, 2: 4. / 6, 2.5: 4. / 6, 4: 1, 9: 1} {
		if got := c.PValue(score); math.Abs(got-want) > 1e-12 {
			t.Errorf("p-value of %v is %v, want %v", score, got, want)
		}
	}
}

// TestPValueOfManySamples: the stored quantiles stand for more samples than
// there are of them.
func TestPValueOfManySamples(t *testing.T) {
	const n = 5 * maxQuantiles
	scores := make([]float64, n)
	for i := range scores {
		scores[i] = float64(i)
	}
	c, err := Calibrate(scores, 0.95, Score{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Quantiles) != 10_000 {
		t.Errorf("%d quantiles are stored", len(c.Quantiles))
	}
	for _, s := range []float64{-1, 0, 100, n / 20, n / 2, n - 1, n} {
		exact := (math.Min(math.Max(s+1, 0), n) + 1) / (n + 1)
		if got := c.PValue(s); math.Abs(got-exact) > 2./maxQuantiles {
			t.Errorf("p-value of %v is %v, want about %v", s, got, exact)
		}
	}
}

func TestThin(t *testing.T) {
	values := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for n, want := range map[int][]float64{10: values, 4: {0, 3, 6, 9}, 3: {0, 4, 9}, 2: {0, 9}} {
		if got := thin(values, n); !slices.Equal(got, want) {
			t.Errorf("%d of them are %v, want %v", n, got, want)
		}
	}
}

func TestCalibrateWrongInput(t *testing.T) {
	for _, c := range []struct {
		scores []float64
		tpr    float64
		want   string // of the error; none if it is empty
	}{
		{make([]float64, 19), 0.95, "at least 20 are needed"},
		{make([]float64, 20), 0.95, ""},
		{make([]float64, 9), 0.9, "at least 10 are needed"},
		{make([]float64, 10), 0.9, ""},
		{make([]float64, 100), 0, "TPR 0: must be between 0 and 1"},
		{make([]float64, 100), 1, "TPR 1: must be between 0 and 1"},
		{append(make([]float64, 50), math.NaN()), 0.95, "not a number"},
	} {
		_, err := Calibrate(c.scores, c.tpr, Score{}, "")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d scores at a TPR of %v: error %v, want one that says %q", len(c.scores), c.tpr, err, c.want)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	m, want := sound(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := Save(path, m, want); err != nil {
		t.Fatal(err)
	}
	_, got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

func TestLoadWrongFile(t *testing.T) {
	dir := t.TempDir()
	newer, _ := sound(t)
	stranger, err := proto.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	newer.MetadataProps = []*onnx.StringStringEntryProto{{Key: formatKey, Value: "99"}}
	newerFile, err := proto.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"empty.onnx":    {nil, "not an ONNX file"},
		"text.onnx":     {[]byte("hello, world"), "not an ONNX file"},
		"best.pth":      {[]byte("PK\x03\x04"), "weights of a network, not a model: ascood-export makes one"},
		"old.pth":       {[]byte("\x80\x02\x8a"), "weights of a network"},
		"w.safetensors": {[]byte("\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":"), "weights of a network"},
		"stranger.onnx": {stranger, "not one that ascood-export wrote"},
		"newer.onnx":    {newerFile, "version 99"},
		"cut.onnx":      {stranger[:len(stranger)-3], "truncated"},
	} {
		path := filepath.Join(dir, name)
		writeFile(t, path, c.content)
		if _, _, err := Load(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
	}
	if _, _, err := Load(filepath.Join(dir, "none.onnx")); err == nil || !strings.Contains(err.Error(), "none.onnx") {
		t.Errorf("a missing file: error %v", err)
	}
	m, d := sound(t)
	if err := Save(filepath.Join(dir, "no", "m.onnx"), m, d); err == nil || !strings.Contains(err.Error(), "there is no folder") {
		t.Errorf("writing into a folder that does not exist: error %v", err)
	}
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultScores(t *testing.T) {
	for _, m := range ScoreNames() {
		s, err := DefaultScore(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, s := range []Score{
		{Name: ScoreIODIN}, {Name: ScoreIODIN, Temperature: math.NaN()}, {Name: ScoreODIN, Temperature: 1, Noise: -1}, {Name: "energy", Temperature: 1},
		{Settings: "{}"}, {Name: "knn", Settings: "5"}, {Name: "knn", Settings: "{"},
	} {
		if s.Validate() == nil {
			t.Errorf("%+v is valid", s)
		}
	}
}
