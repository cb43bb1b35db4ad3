// Package cudastub builds stand-ins for the CUDA libraries, so that a test on a machine
// without a GPU can create sessions of ONNX Runtime's CUDA provider and see where their
// nodes are placed. Such sessions cannot be run.
package cudastub

import (
	"debug/elf"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed c/stub.c
var source string

// Build compiles, by gcc, a stand-in for each CUDA library that a provider links to, with
// all the functions that the provider takes from it, into a folder for LD_LIBRARY_PATH.
func Build(provider, dir string) error {
	libraries, err := functions(provider)
	if err != nil {
		return err
	}
	for name, functions := range libraries {
		if err := build(filepath.Join(dir, name), functions); err != nil {
			return err
		}
	}
	return nil
}

// functions returns the functions that a provider takes from each CUDA library.
func functions(provider string) (map[string][]string, error) {
	f, err := elf.Open(provider)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	needed, err := f.ImportedLibraries()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", provider, err)
	}
	libraries := map[string][]string{}
	for _, name := range needed {
		if strings.HasPrefix(name, "libcu") {
			libraries[name] = nil
		}
	}
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", provider, err)
	}
	for _, s := range symbols {
		if _, ok := libraries[s.Library]; ok {
			libraries[s.Library] = append(libraries[s.Library], s.Name)
		}
	}
	return libraries, nil
}

// build compiles one library. What stub.c defines takes precedence over the functions
// that only return 0.
func build(path string, functions []string) error {
	var c strings.Builder
	for _, name := range functions {
		fmt.Fprintf(&c, "__attribute__((weak)) int %s() { return 0; }\n", name)
	}
	name := filepath.Base(path)
	exported := "local: *; "
	if len(functions) > 0 {
		exported = "global: " + strings.Join(functions, "; ") + "; " + exported
	}
	files := map[string]string{path + ".c": c.String(), path + "-stub.c": source, path + ".map": name + " { " + exported + "};\n"}
	for file, content := range files {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return err
		}
		defer os.Remove(file)
	}
	out, err := exec.Command("gcc", "-w", "-shared", "-fPIC", "-fno-builtin", "-o", path, path+".c", path+"-stub.c",
		"-Wl,-soname,"+name, "-Wl,--version-script="+path+".map").CombinedOutput()
	if err != nil {
		return fmt.Errorf("gcc: %w\n%s", err, out)
	}
	return nil
}
