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

// TestOutOfMemory: whoever runs out of memory, the error can be told from others.
func TestOutOfMemory(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	gotorch.Zeros(s, dims(1<<50))
	if err := s.Err(); !errors.Is(err, gotorch.ErrOutOfMemory) || !strings.Contains(err.Error(), "bytes cannot be had") {
		t.Errorf("4 PB: %v", err)
	}
	for message, want := range map[string]bool{
		"CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 7.79 GiB total capacity)": true,
		"CUDA error: out of memory": true,
		"CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`": true,
		"cuDNN error: CUDNN_STATUS_ALLOC_FAILED":                                     true,
		"CUDA error: an illegal memory access was encountered":                       false,
	} {
		err := error(&gotorch.OpError{Op: "conv2d", Err: errors.New(message)})
		if errors.Is(err, gotorch.ErrOutOfMemory) != want || errors.Is(err, gotorch.ErrClosed) {
			t.Errorf("%s: want of memory is %v, want %v", message, !want, want)
		}
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
