package gpu

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

const standInEnv = "ASCOOD_TEST_DRIVER"

// TestWithoutDriver: a machine without one says so.
func TestWithoutDriver(t *testing.T) {
	gpus, err := List()
	if err == nil {
		t.Skipf("this machine has a driver and %v", gpus)
	}
	if ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), "NVIDIA's driver: libcuda.so.1") {
		t.Errorf("error %v", err)
	}
}

// TestStandIn asks a stand-in for the driver, in a process of its own.
func TestStandIn(t *testing.T) {
	dir := os.Getenv(standInEnv)
	if dir == "" {
		dir = t.TempDir()
		library := filepath.Join(dir, "libcuda.so.1")
		if out, err := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-o", library, "testdata/driver.c").CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestStandIn$")
		again.Env = append(os.Environ(), standInEnv+"="+dir, "LD_LIBRARY_PATH="+dir)
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	gpus, err := List()
	if err != nil || len(gpus) != 2 {
		t.Fatalf("%v, error %v", gpus, err)
	}
	if got, want := gpus[1].String(), "NVIDIA Second, compute capability 8.10, 80.0 GiB"; got != want {
		t.Errorf("the second is %s, want %s", got, want)
	}
	if bytes, err := Available(0); bytes != 79<<30 || err != nil {
		t.Errorf("%d bytes are available, error %v", bytes, err)
	}
	if _, err := Available(1); ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), "memory: CUDA error 214") {
		t.Errorf("error %v", err)
	}
	if got := CuDNN(filepath.Join(dir, "libcuda.so.1")); got != "9.27.1" {
		t.Errorf("cuDNN %q", got)
	}
	if got := CuDNN(filepath.Join(dir, "none")); got != "" {
		t.Errorf("cuDNN %q of a file that is not there", got)
	}
}
