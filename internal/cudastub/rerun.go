package cudastub

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const rerunEnv = "ASCOOD_TEST_CUDA_STAND_INS"

// Here reports whether this process has stand-ins for CUDA's libraries, so that it is
// the one that Rerun started.
func Here() bool { return os.Getenv(rerunEnv) != "" }

// Rerun runs the calling test once more, in a process with stand-ins for CUDA's
// libraries, and returns what it prints; if it fails there, so does the test here. Where
// no provider is beside the given ONNX Runtime library the test is skipped, but not
// where CI is set to true, on the architecture that there is a provider for.
func Rerun(tb testing.TB, library string) (output string) {
	tb.Helper()
	provider := filepath.Join(filepath.Dir(library), "libonnxruntime_providers_cuda.so")
	if _, err := os.Stat(provider); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") == "true" && runtime.GOARCH == "amd64" {
			tb.Fatalf("%s is missing: run make setup-cuda", provider)
		}
		tb.Skipf("the CUDA provider is not there: make setup-cuda fetches it (180 MB, x86_64)")
	}
	dir := tb.TempDir()
	if err := Build(provider, dir); err != nil {
		tb.Fatal(err)
	}
	again := exec.CommandContext(tb.Context(), os.Args[0], "-test.run", "^"+tb.Name()+"$", "-test.v")
	again.Env = append(os.Environ(), rerunEnv+"=1", "LD_LIBRARY_PATH="+dir)
	out, err := again.CombinedOutput()
	if err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// Place runs the test again as Rerun does. Its subtests open sessions of which every node
// must be placed on the GPU, and no value copied between it and the CPU.
func Place(tb testing.TB, library string) {
	tb.Helper()
	if out := Rerun(tb, library); strings.Contains(out, "Memcpy") || !strings.Contains(out, "--- PASS: "+tb.Name()+"/") {
		tb.Errorf("nodes copy between GPU and CPU, or were not placed at all:\n%s", out)
	}
}
