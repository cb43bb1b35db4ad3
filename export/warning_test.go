package export_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
)

// TestLoadsWithoutWarning catches what ONNX Runtime says while it loads each
// network, all outputs of it; it logs warnings to standard error.
func TestLoadsWithoutWarning(t *testing.T) {
	for _, arch := range models.Archs() {
		size := 64
		if arch == "lenet" {
			size = 28
		}
		spec := models.Spec{Arch: arch, Width: testmodel.Narrow(arch), Classes: 10, Head: models.HeadASCOOD}
		model, _ := testmodel.Random(t, spec, testmodel.Square(size), artifact.ScoreIODIN)
		said := captureStderr(t, func() {
			s, err := ort.Open(model, ort.Options{Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		})
		if said != "" {
			t.Errorf("%s: %s", arch, said)
		}
	}
}

// captureStderr returns what do writes to the process's standard error, C
// libraries included.
func captureStderr(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.Create(t.TempDir() + "/stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	saved, err := syscall.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(saved)
	if err := syscall.Dup2(int(file.Fd()), 2); err != nil {
		t.Fatal(err)
	}
	defer syscall.Dup2(saved, 2)
	do()
	said, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}
