package gotorch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildShim runs shim/build.sh and returns what it says.
func buildShim(t *testing.T, libtorch, out string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "shim/build.sh", out)
	cmd.Env = append(os.Environ(), "LIBTORCH="+libtorch)
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// folder makes a folder with empty files.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestWrongLibtorch(t *testing.T) {
	for _, c := range []struct {
		name, libtorch string
		want           []string
	}{
		{"no folder", "/no/such/folder", []string{"LIBTORCH=/no/such/folder is no folder", "want the folder of an unpacked libtorch"}},
		{"empty", folder(t), []string{"has no lib/libtorch.so; it holds: nothing"}},
		{"something else", folder(t, "bin/tool", "README"), []string{"has no lib/libtorch.so; it holds: README, bin;"}},
		{"no headers", folder(t, "lib/libtorch.so", "include/other.h"), []string{"has no headers (include/ATen/ATen.h); include holds: other.h;"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "libgotorch.so")
			said, err := buildShim(t, c.libtorch, out)
			if err == nil {
				t.Error("the build succeeded")
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("said %q, want %q", said, want)
				}
			}
			if left, _ := filepath.Glob(out + "*"); left != nil {
				t.Errorf("left %v behind", left)
			}
		})
	}
}

// A library that is newer than its sources and was built for the same libtorch
// is left alone; otherwise it is built anew, and a failed build changes nothing.
func TestBuildsOnlyWhatIsNeeded(t *testing.T) {
	out := filepath.Join(t.TempDir(), "libgotorch.so")
	must := func(libtorch string) os.FileInfo {
		t.Helper()
		if said, err := buildShim(t, libtorch, out); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	libtorch := os.Getenv("LIBTORCH")
	first := must(libtorch)
	if second := must(libtorch); !os.SameFile(first, second) {
		t.Error("built again although nothing changed")
	}
	if _, err := buildShim(t, folder(t, "lib/libtorch.so", "lib/libc10.so", "include/ATen/ATen.h"), out); err == nil {
		t.Error("the build against an empty libtorch succeeded")
	}
	if third := must(libtorch); !os.SameFile(first, third) {
		t.Error("a failed build replaced the library")
	}
}
