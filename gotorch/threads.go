package gotorch

// SetNumThreads sets how many threads an operation on the CPU may use, in the
// whole process: goroutines move between threads of the operating system, and
// the number follows them.
func SetNumThreads(n int) error { return cSetNumThreads(n) }

// NumThreads returns how many threads an operation on the CPU may use.
func NumThreads() (int, error) { return cNumThreads() }
