package ort

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	runtime "github.com/yalue/onnxruntime_go"

	"github.com/ascood/ascood"
)

// LibraryEnv is the environment variable that names ONNX Runtime's shared
// library where it is not in the lib folder beside the program's own.
const LibraryEnv = "ONNXRUNTIME_LIB"

// Where the libraries are below the lib folder: the CUDA provider needs a build
// of ONNX Runtime of its own.
const (
	cpuLibrary  = "libonnxruntime.so.1"
	cudaLibrary = "cuda/libonnxruntime.so"
)

// findLibrary returns the path of the library to load for a kind of device: what
// LibraryEnv names, else what stands in ../lib of the program's folder.
func findLibrary(cuda bool) (string, error) {
	name, remedy := cpuLibrary, "make setup"
	if cuda {
		name, remedy = cudaLibrary, "make setup-cuda"
	}
	if path := os.Getenv(LibraryEnv); path != "" {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return "", ascood.Errorf(ascood.Unavailable, "%s: %w", LibraryEnv, err)
		case info.IsDir():
			return "", ascood.Errorf(ascood.Unavailable, "%s=%s is a folder holding %s; it must name the library file, such as %s",
				LibraryEnv, path, listing(path), name)
		}
		return path, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", ascood.Errorf(ascood.Unavailable, "find ONNX Runtime: %w", err)
	}
	path := filepath.Join(filepath.Dir(exe), "..", "lib", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", ascood.Errorf(ascood.Unavailable, "ONNX Runtime is not at %s: run %q, or name the library in %s", path, remedy, LibraryEnv)
	}
	return path, nil
}

// listing names a few of a folder's files.
func listing(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return "nothing readable"
	}
	var names []string
	for _, e := range entries {
		if len(names) == 5 {
			names = append(names, "…")
			break
		}
		names = append(names, e.Name())
	}
	return strings.Join(names, ", ")
}

// environment is ONNX Runtime's process-wide state: it is loaded once, from one
// library.
var environment struct {
	sync.Mutex
	library string
}

// loadLibrary makes sure that ONNX Runtime is loaded, with CUDA if asked for. One
// with CUDA serves the CPU as well.
func loadLibrary(cuda bool) error {
	environment.Lock()
	defer environment.Unlock()
	if environment.library != "" && !cuda {
		return nil
	}
	path, err := findLibrary(cuda)
	if err != nil {
		return err
	}
	if cuda {
		if err := checkCUDA(path); err != nil {
			return err
		}
	}
	switch environment.library {
	case path:
		return nil
	case "":
	default:
		return ascood.Errorf(ascood.Unavailable, "ONNX Runtime is already loaded from %s and cannot be loaded again from %s", environment.library, path)
	}
	runtime.SetSharedLibraryPath(path)
	if err := runtime.InitializeEnvironment(runtime.WithLogLevelWarning()); err != nil {
		return ascood.Errorf(ascood.Unavailable, "%s is not an ONNX Runtime library of version 1.24 or later: %w", path, err)
	}
	environment.library = path
	return nil
}
