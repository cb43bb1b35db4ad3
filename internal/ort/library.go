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

// library is the file's name in the lib folder. It serves the CPU, and CUDA with
// the provider beside it.
const library = "libonnxruntime.so.1"

// findLibrary returns the path of the library to load: what LibraryEnv names, else
// what stands in ../lib of the program's folder.
func findLibrary() (string, error) {
	if path := os.Getenv(LibraryEnv); path != "" {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return "", ascood.Errorf(ascood.Unavailable, "%s: %w", LibraryEnv, err)
		case info.IsDir():
			return "", ascood.Errorf(ascood.Unavailable, "%s=%s is a folder holding %s; it must name the library file, such as %s",
				LibraryEnv, path, listing(path), library)
		}
		return path, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", ascood.Errorf(ascood.Unavailable, "find ONNX Runtime: %w", err)
	}
	path := filepath.Join(filepath.Dir(exe), "..", "lib", library)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", ascood.Errorf(ascood.Unavailable, "ONNX Runtime is not at %s: run \"make setup\", or name the library in %s", path, LibraryEnv)
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

// loadLibrary makes sure that ONNX Runtime is loaded, and returns the path of the
// library.
func loadLibrary() (string, error) {
	environment.Lock()
	defer environment.Unlock()
	if environment.library != "" {
		return environment.library, nil
	}
	path, err := findLibrary()
	if err != nil {
		return "", err
	}
	// ONNX Runtime since 1.29 reports how it is used to Microsoft, on Linux too, and keeps a
	// database and a device number for that below the home folder.
	os.Setenv("ORT_DISABLE_TELEMETRY", "1")
	runtime.SetSharedLibraryPath(path)
	if err := runtime.InitializeEnvironment(runtime.WithLogLevelWarning()); err != nil {
		return "", ascood.Errorf(ascood.Unavailable, "%s is not an ONNX Runtime library of version 1.24 or later: %w", path, err)
	}
	environment.library = path
	return path, nil
}
