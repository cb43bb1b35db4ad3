package gotorch

import (
	"os"
	"syscall"
)

// SetNumThreads sets how many threads an operation on the CPU may use, in the
// whole process: goroutines move between threads of the operating system, and
// the number follows them. libtorch's own choice may be 1, as Debian's is.
//
// OpenMP keeps a team of threads for each thread that calls it. A goroutine that
// trains should therefore stay on one: runtime.LockOSThread.
func SetNumThreads(n int) error { return cSetNumThreads(n) }

// NumThreads returns how many threads an operation on the CPU may use.
func NumThreads() (int, error) { return cNumThreads() }

// ShareCores makes libtorch's threads soon sleep when they wait for one another, and those
// of OpenBLAS at once, instead of spinning. A program whose other goroutines, such as those
// that load images, need the same cores should call it first thing in main: it restarts
// the program, once, with GOMP_SPINCOUNT=1000 and OPENBLAS_THREAD_TIMEOUT=4 in its
// environment, as OpenMP and OpenBLAS read that only when they are loaded. It does nothing
// if GOMP_SPINCOUNT or OMP_WAIT_POLICY is set.
//
// Measured on 2 cores with 2 threads, a training step of a small ResNet-18: 120
// instead of 118 ms alone, 0.3 instead of 3.3 s beside two busy processes. A thread of
// OpenBLAS, which spins for 26 ms behind each product, took an eighth of the step's processor time.
func ShareCores() error {
	const spins, timeout = "GOMP_SPINCOUNT", "OPENBLAS_THREAD_TIMEOUT"
	if os.Getenv(spins) != "" || os.Getenv("OMP_WAIT_POLICY") != "" {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	environment := append(os.Environ(), spins+"=1000")
	if os.Getenv(timeout) == "" {
		environment = append(environment, timeout+"=4") // its least, of 2⁴ cycles
	}
	return syscall.Exec(program, os.Args, environment)
}
