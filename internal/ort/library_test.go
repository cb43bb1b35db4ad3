package ort

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TestNothingIsReported: ONNX Runtime keeps no files for reports on how it is used. It
// keeps them of a process, so this is one of its own.
func TestNothingIsReported(t *testing.T) {
	const here = "ASCOOD_TEST_REPORTS"
	if os.Getenv(here) != "" {
		s, err := Open(convolution(t), Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		return
	}
	home := t.TempDir()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	again.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "ORT_DISABLE_TELEMETRY=") || strings.HasPrefix(v, "XDG_")
	})
	again.Env = append(again.Env, here+"=1", "HOME="+home, "TMPDIR="+home)
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("ONNX Runtime keeps %v, error %v", left, err)
	}
}
