package preprocess

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// TestVariants compares with PIL, bit for bit, what decoders differ about: files that
// are rare, damaged, truncated or turned.
func TestVariants(t *testing.T) {
	tested := map[Reading]int{}
	for suffix, how := range map[string]Reading{
		".png":         {},
		".fill.png":    {Truncated: Fill},
		".upright.png": {Orientation: Apply},
	} {
		files, err := filepath.Glob("testdata/variants/*.*" + suffix)
		if err != nil {
			t.Fatal(err)
		}
		for _, expected := range files {
			path := strings.TrimSuffix(expected, suffix)
			name := filepath.Base(path)
			if strings.Count(name, ".") != 1 {
				continue // of another suffix
			}
			tested[how]++
			t.Run(name+suffix, func(t *testing.T) {
				img, err := how.DecodeFile(t.Context(), path, DefaultMaxPixels)
				if err != nil {
					t.Fatal(err)
				}
				got, want := pixelsOf(img), decodeFile(t, expected)
				if got.Rect != want.Rect {
					t.Fatalf("bounds %v, want %v", got.Rect, want.Rect)
				}
				if worst, share := difference(got.Pix, want.Pix); worst > 0 {
					t.Errorf("values differ by up to %d levels (%.1f%% of them)", worst, 100*share)
				}
			})
		}
	}
	if tested[Reading{}] != 40 || tested[Reading{Truncated: Fill}] != 5 || tested[Reading{Orientation: Apply}] != 10 {
		t.Errorf("tested %v", tested)
	}
}

// TestTruncatedIsRefused unless it is to be filled.
func TestTruncatedIsRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/variants/cut*.fill.png")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		_, err := Reading{}.DecodeFile(t.Context(), strings.TrimSuffix(file, ".fill.png"), DefaultMaxPixels)
		if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), "truncated image") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
