package gotorch_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

// failing marks the process that TestMessageWithoutMemory starts.
const failing = "GOTORCH_TEST_FAILING"

// failAtLength prints the error of an operation whose message is long: it names
// the sizes of 10,000 dimensions.
func failAtLength() {
	s := gotorch.NewScope()
	defer s.Close()
	t := vector(s, 1, 2).Reshape(slices.Repeat([]int{1}, 10_000)...)
	if op, ok := errors.AsType[*gotorch.OpError](s.Err()); ok {
		fmt.Print(t.Valid(), " ", op.Err)
	}
}

// TestMessageWithoutMemory: an error for whose message there is no memory is an
// error all the same.
func TestMessageWithoutMemory(t *testing.T) {
	library := filepath.Join(t.TempDir(), "nomemory.so")
	if said, err := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-o", library, "testdata/nomemory.c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for preload, want := range map[string]string{"": "is invalid for input of size 2", library: "out of memory"} {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Env = append(os.Environ(), failing+"=1", "LD_PRELOAD="+preload)
		said, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(said), "false ") || !strings.HasSuffix(string(said), want) {
			t.Errorf("with LD_PRELOAD=%s it says %.50q …, %v; want an error that ends in %q", preload, said, err, want)
		}
	}
}
