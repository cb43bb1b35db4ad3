package gotorch_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

func TestThreads(t *testing.T) {
	before, err := gotorch.NumThreads()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gotorch.SetNumThreads(before); err != nil {
			t.Error(err)
		}
	})
	if err := gotorch.SetNumThreads(0); err == nil || !strings.Contains(err.Error(), "want at least 1 thread, got 0") {
		t.Errorf("0 threads: %v", err)
	}
	if err := gotorch.SetNumThreads(2); err != nil {
		t.Fatal(err)
	}
	// The number holds on every thread of the operating system.
	counts := make(chan int)
	for range 8 {
		go func() {
			n, _ := gotorch.NumThreads()
			counts <- n
		}()
	}
	for range 8 {
		if n := <-counts; n != 2 {
			t.Errorf("%d threads, want 2", n)
		}
	}
}

// sharing marks the process that TestShareCores starts.
const sharing = "GOTORCH_TEST_SHARING"

func TestMain(m *testing.M) {
	if os.Getenv(failing) != "" {
		failAtLength()
		return
	}
	if os.Getenv(sharing) == "" {
		os.Exit(m.Run())
	}
	if err := gotorch.ShareCores(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Print(os.Args[1:], os.Getenv("GOMP_SPINCOUNT"), "/", os.Getenv("OPENBLAS_THREAD_TIMEOUT"))
}

func TestShareCores(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ set, want string }{
		{"UNRELATED=1", "[a b]1000/4"},
		{"OPENBLAS_THREAD_TIMEOUT=9", "[a b]1000/9"},
		{"GOMP_SPINCOUNT=5", "[a b]5/"},
		{"OMP_WAIT_POLICY=active", "[a b]/"},
	} {
		cmd := exec.CommandContext(t.Context(), program, "a", "b")
		cmd.Env = []string{sharing + "=1", c.set}
		said, err := cmd.CombinedOutput()
		if err != nil || string(said) != c.want {
			t.Errorf("with %s it says %q, %v; want %q", c.set, said, err, c.want)
		}
	}
}
