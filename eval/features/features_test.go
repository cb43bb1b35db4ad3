package features

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/posthoc"
)

// images make features of n images, of other values each.
func images(n, first int) *posthoc.Set {
	s := &posthoc.Set{Batch: posthoc.Batch{Feature: posthoc.Matrix{Cols: 3}, Logits: posthoc.Matrix{Cols: 2}}}
	for i := first; i < first+n; i++ {
		v := float32(i)
		s.Feature.Data = append(s.Feature.Data, v, v+0.25, -v)
		s.Logits.Data = append(s.Logits.Data, 2*v, v*v)
		s.Labels = append(s.Labels, i%5-1)
	}
	return s
}

// write writes a file in two parts.
func write(t *testing.T, path string, n int) *File {
	t.Helper()
	w, err := Create(path, "here", n)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	for _, part := range []*posthoc.Set{images(n/3, 0), images(n-n/3, n/3)} {
		if err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	f, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestBlocks reads what was written, with and without a name, in blocks that do not
// divide it, and twice.
func TestBlocks(t *testing.T) {
	const n = 2*posthoc.BlockRows + 7
	for _, path := range []string{"", filepath.Join(t.TempDir(), "train.safetensors")} {
		f := write(t, path, n)
		if f.Len() != n || f.Inputs() != "here" {
			t.Errorf("%d images of %q", f.Len(), f.Inputs())
		}
		for range 2 {
			at := 0
			for block, err := range f.Blocks() {
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(block, images(block.Len(), at)) {
					t.Errorf("the block at %d is not what was written", at)
				}
				at += block.Len()
			}
			if at != n {
				t.Errorf("the blocks have %d images, want %d", at, n)
			}
		}
		all, err := f.Load()
		if err != nil || !reflect.DeepEqual(all, images(n, 0)) {
			t.Errorf("loaded something else than was written (%v)", err)
		}
	}
}

// TestFewerImages: what was announced and did not come leaves no gap.
func TestFewerImages(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "train.safetensors"), ""} {
		for _, n := range []int{1, 7, 99, 40000} {
			w, err := Create(path, "here", n+n/2+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(images(n, 0)); err != nil {
				t.Fatal(err)
			}
			f, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if all, err := f.Load(); err != nil || f.Len() != n || !reflect.DeepEqual(all, images(n, 0)) {
				t.Errorf("%d images: loaded something else than was written (%v)", n, err)
			}
			f.Close()
		}
	}
}

// TestIsSafetensors reads a file as any other program would.
func TestIsSafetensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "train.safetensors")
	write(t, path, 9)
	c, err := checkpoint.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	logits, err := c.Model["logits"].Float32s()
	if err != nil || !reflect.DeepEqual(logits, images(9, 0).Logits.Data) {
		t.Errorf("logits %v (%v)", logits, err)
	}
	labels, err := c.Model["label"].Int64s()
	if err != nil || len(labels) != 9 || labels[4] != 3 {
		t.Errorf("labels %v (%v)", labels, err)
	}
}

func TestOpenWrongInput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "train.safetensors")
	write(t, path, 9)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":     nil,
		"text":      []byte("relative/path 3\nother 4\n"),
		"truncated": sound[:len(sound)-1],
		"half":      sound[:40],
		"longer":    append(bytes.Clone(sound), 0),
		"other":     bytes.Replace(sound, []byte(`"logits"`), []byte(`"logitz"`), 1),
		"shape":     bytes.Replace(sound, []byte("[9,3]"), []byte("[8,3]"), 1),
	} {
		bad := filepath.Join(dir, name)
		if err := os.WriteFile(bad, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: opened as %+v, error %v", name, f, err)
		}
	}
}

// TestUnfinishedLeavesNothing discards a file in the making.
func TestUnfinishedLeavesNothing(t *testing.T) {
	for _, dir := range []string{t.TempDir(), ""} {
		path := ""
		if dir != "" {
			path = filepath.Join(dir, "train.safetensors")
		} else {
			dir = t.TempDir()
			t.Setenv("TMPDIR", dir)
		}
		w, err := Create(path, "", 5)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Finish(); err == nil {
			t.Error("finished without an image")
		}
		if err := w.Write(images(6, 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Finish(); err == nil {
			t.Error("finished with 6 of 5 images")
		}
		w.Discard()
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind %v (%v)", left, err)
		}
	}
}
