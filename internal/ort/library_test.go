package ort

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestFindLibrary(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "libonnxruntime.so.1")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		env, says string
	}{
		{file, ""},
		{dir, "is a folder holding libonnxruntime.so.1; it must name the library file"},
		{t.TempDir(), "is a folder holding nothing readable"},
		{filepath.Join(dir, "none"), LibraryEnv + ": "},
		{"", `run "make setup", or name the library in ` + LibraryEnv},
	} {
		t.Setenv(LibraryEnv, test.env)
		path, err := findLibrary()
		if test.says == "" {
			if err != nil || path != test.env {
				t.Errorf("found %s, %v", path, err)
			}
			continue
		}
		if ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: error %v, want %q", test.env, err, test.says)
		}
	}
}
