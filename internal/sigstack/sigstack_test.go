package sigstack

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUse: with C handlers in place Go's die of the next signal, and with Use they
// do not.
func TestUse(t *testing.T) {
	program := filepath.Join(t.TempDir(), "handlers")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/handlers").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, test := range map[string]struct {
		args, want string
		dies       bool
	}{
		"nil dereference, left alone": {"nil", "not on signal stack", true},
		"SIGTERM, left alone":         {"term", "not on signal stack", true},
		"nil dereference":             {"use nil", "changed 2 0\nrecovered true\n", false},
		"SIGTERM":                     {"use term", "changed 2 0\ntold of terminated\n", false},
	} {
		out, err := exec.CommandContext(t.Context(), program, strings.Fields(test.args)...).CombinedOutput()
		if (err != nil) != test.dies || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v, it says %q, want %q", name, err, out, test.want)
		}
	}
}

// TestNothingToDo: Go's own handlers are as they must be.
func TestNothingToDo(t *testing.T) {
	if n := Use(); n != 0 {
		t.Errorf("%d handlers were changed", n)
	}
}
