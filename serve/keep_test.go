package serve

import (
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/serve/keep"
)

// TestKeep: what is strange is kept, with its verdict; all else is not.
func TestKeep(t *testing.T) {
	for _, tt := range []struct {
		pValue       float64
		black, white int // files kept of each
		keeps        string
	}{
		{0, 1, 0, "those out of distribution"},
		{0.05, 0, 0, "those with a p-value up to 0.05"},
		{1, 1, 1, "those with a p-value up to 1"},
	} {
		folder := t.TempDir()
		store, err := keep.Open(keep.Config{Place: folder, MaxBytes: 1 << 20, PerMinute: 100, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(t, &fakeModel{}, func(c *Config) { c.Keep, c.KeepPValue = store, tt.pValue })
		wantScore(t, do(s, raw(grayPNG(t, 0))), 0)
		wantScore(t, do(s, raw(grayPNG(t, 255))), 1)
		do(s, raw([]byte("text")))
		if got := parse[ModelsResponse](t, do(s, httptest.NewRequest("GET", "/v1/models", nil))).Keeps; got != tt.keeps {
			t.Errorf("it says that it keeps %q", got)
		}
		store.Close()
		for class, want := range map[string]int{"dark": tt.black, "bright": tt.white} {
			if found, err := filepath.Glob(filepath.Join(folder, "fake", "images", class, "*.png")); err != nil || len(found) != want {
				t.Errorf("up to %v: of %s there are %v, %v", tt.pValue, class, found, err)
			}
		}
		verdicts, err := filepath.Glob(filepath.Join(folder, "fake", "verdicts", "*.json"))
		if err != nil || len(verdicts) != tt.black+tt.white {
			t.Fatalf("verdicts %v, %v", verdicts, err)
		}
		if len(verdicts) != 1 {
			continue
		}
		text, err := os.ReadFile(verdicts[0])
		if err != nil {
			t.Fatal(err)
		}
		var v KeptVerdict
		if err := json.Unmarshal(text, &v); err != nil || v.Verdict != artifact.OutOfDistribution || v.Model != "fake" || v.Class != "dark" || v.Time.IsZero() {
			t.Errorf("the verdict is %s, %v", text, err)
		}
	}
}
