package gotorch

import (
	"fmt"
	"os"
)

// Flag is a setting of the whole process that trades speed on GPUs for exactness or
// repeatability. On the CPU none of them changes a number.
type Flag int

const (
	// BenchmarkCuDNN times the algorithms that cuDNN has for a convolution when it
	// first sees its shape, and keeps the fastest. It pays where shapes stay the same,
	// and may choose differently in each process. Off at first.
	BenchmarkCuDNN Flag = flagBenchmarkCuDNN

	// TF32CuDNN lets convolutions in float32 round their inputs to 10 bits of mantissa,
	// which GPUs since Ampere multiply several times faster. On at first, as in PyTorch.
	TF32CuDNN Flag = flagTF32CuDNN

	// TF32CuBLAS is the same for matrix products. Off at first.
	TF32CuBLAS Flag = flagTF32CuBLAS

	// Deterministic takes algorithms that repeat their results to the bit wherever
	// libtorch has one; for an operator without, it warns on the standard error stream.
	// cuBLAS needs a workspace of fixed size for that, which it reads from the
	// environment when a thread first multiplies on the GPU: set the flag before. Off
	// at first.
	Deterministic Flag = flagDeterministic
)

// Set turns the flag on or off.
func (f Flag) Set(on bool) error {
	const workspace = "CUBLAS_WORKSPACE_CONFIG"
	if f == Deterministic && on && os.Getenv(workspace) == "" {
		if err := os.Setenv(workspace, ":4096:8"); err != nil {
			return fmt.Errorf("gotorch: %s: %w", workspace, err)
		}
	}
	return cSetFlag(f, on)
}

// IsOn reads the flag.
func (f Flag) IsOn() (bool, error) { return cFlagIsOn(f) }
