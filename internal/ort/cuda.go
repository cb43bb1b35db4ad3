package ort

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/ascood/ascood"
)

// Files of the CUDA provider, which the library loads from its own folder.
var providerFiles = []string{"libonnxruntime_providers_shared.so", provider}

const provider = "libonnxruntime_providers_cuda.so"

// cudnn is loaded by the provider when it first runs a convolution; the file does
// not link to it.
const cudnn = "libcudnn.so.9"

// machine is where the CUDA provider finds what it needs: this one, or one that a
// test made up.
type machine struct {
	root        string // of the file system, "" for the real one
	libraryPath string // LD_LIBRARY_PATH
}

// foundCUDA is whether this machine has all that CUDA needs, once that is known.
var foundCUDA atomic.Bool

// findCUDA is checkCUDA on this machine. What was there once is not looked for again.
func findCUDA(library string) error {
	if foundCUDA.Load() {
		return nil
	}
	err := thisMachine().checkCUDA(library)
	foundCUDA.Store(err == nil)
	return err
}

func thisMachine() machine { return machine{libraryPath: os.Getenv("LD_LIBRARY_PATH")} }

// checkCUDA returns an ascood.Unavailable error that names all that CUDA needs
// beside the given ONNX Runtime library and that is not there.
func (m machine) checkCUDA(library string) error {
	var faults []string
	for _, part := range m.inspectCUDA(library) {
		if part.Fault != "" {
			faults = append(faults, part.Fault)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return ascood.Errorf(ascood.Unavailable, "CUDA cannot be used (docs/gpu.md): %s", strings.Join(faults, "; "))
}

// inspectCUDA looks for all that CUDA needs beside the given ONNX Runtime library.
func (m machine) inspectCUDA(library string) []Part {
	parts, needed := inspectProvider(library)
	major := cudaMajor(needed)
	parts = append(parts, m.inspectDriver(major)...)
	return append(parts, m.inspectLibraries(needed, major)...)
}

// inspectProvider looks at the provider's files, and at which libraries it needs.
func inspectProvider(library string) (parts []Part, needed []string) {
	dir := filepath.Dir(library)
	for _, name := range providerFiles {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			parts = append(parts, Part{Name: name, Fault: fmt.Sprintf("no CUDA provider: %s is not beside %s (%s)", name, library, providerRemedy())})
		}
	}
	if len(parts) > 0 {
		return parts, nil
	}
	path, want := filepath.Join(dir, provider), libraryVersion(library)
	part := Part{Name: "CUDA provider", Found: path}
	needed, have, err := readProvider(path, want)
	switch {
	case err != nil:
		part.Fault = fmt.Sprintf("no CUDA provider: %s: %v", path, err)
	case want != "" && have != "" && have != want:
		part.Fault = fmt.Sprintf("%s is of ONNX Runtime %s, the library beside it of %s: they must be of one version", path, have, want)
	default:
		part.Found = fmt.Sprintf("%s for CUDA %d, %s", have, cudaMajor(needed), path)
	}
	return []Part{part}, needed
}

// providerRemedy says where the provider for this architecture comes from.
func providerRemedy() string {
	if goruntime.GOARCH != "amd64" {
		return "it can be fetched for x86_64 alone; build ONNX Runtime with CUDA"
	}
	return "make setup-cuda"
}

// libraryVersion returns ONNX Runtime's version, which its symbols carry, as
// VERS_1.29.0. It is "" for a build without.
func libraryVersion(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	versions, _ := f.DynamicVersions()
	for _, v := range versions {
		if version, ok := strings.CutPrefix(v.Name, "VERS_"); ok {
			return version
		}
	}
	return ""
}

// providerVersion is what a string of the provider looks like that holds nothing but
// ONNX Runtime's version.
var providerVersion = regexp.MustCompile(`\x00(1\.[0-9]{1,3}\.[0-9]{1,3})\x00`)

// readProvider returns the libraries that a provider links to, and its version: the
// wanted one if it has it. It is "" if none is found.
func readProvider(path, want string) (needed []string, version string, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	if needed, err = f.ImportedLibraries(); err != nil {
		return nil, "", err
	}
	section := f.Section(".rodata")
	if section == nil {
		return needed, "", nil
	}
	data, err := section.Data()
	if err != nil {
		return nil, "", err
	}
	if hasString(data, want) {
		return needed, want, nil
	}
	if found := providerVersion.FindSubmatch(data); found != nil {
		version = string(found[1])
	}
	return needed, version, nil
}

// hasString reports whether constants hold a string as C has it, between zeros. Of these there are too many to look for them.
func hasString(data []byte, text string) bool {
	for text != "" {
		i := bytes.Index(data, []byte(text))
		if i < 0 {
			break
		}
		end := i + len(text)
		if i > 0 && data[i-1] == 0 && end < len(data) && data[end] == 0 {
			return true
		}
		data = data[i+1:]
	}
	return false
}

// cudaMajor returns which CUDA the needed libraries are of, 0 if there are none.
func cudaMajor(needed []string) int {
	for _, name := range needed {
		if number, ok := strings.CutPrefix(name, "libcudart.so."); ok {
			major, _ := strconv.Atoi(number)
			return major
		}
	}
	return 0
}

// leastDriver is the oldest NVIDIA driver that runs a CUDA of a major version.
var leastDriver = map[int]int{12: 525, 13: 580}

// kernelDriver is where NVIDIA's kernel module says its version.
const kernelDriver = "/proc/driver/nvidia/version"

// hasDriver reports whether there is a driver. WSL2 has neither NVIDIA's kernel module
// nor its devices, but a device of its own.
func (m machine) hasDriver() bool { return m.has(kernelDriver) || m.has("/dev/dxg") }

// inspectDriver looks for the driver, and if it is there for GPUs.
func (m machine) inspectDriver(major int) []Part {
	if m.has("/dev/dxg") {
		return []Part{{Name: "NVIDIA driver", Found: "that of Windows (WSL2)"}}
	}
	needs, least := "", leastDriver[major]
	if least > 0 {
		needs = fmt.Sprintf("; CUDA %d needs %d or later", major, least)
	}
	driver := Part{Name: "NVIDIA driver"}
	if !m.hasDriver() {
		driver.Fault = fmt.Sprintf("no NVIDIA driver: there is no %s (Debian's package nvidia-driver; a container must be started with --gpus all%s)", kernelDriver, needs)
		return []Part{driver}
	}
	driver.Found = m.driverVersion()
	if number, _ := strconv.Atoi(strings.SplitN(driver.Found, ".", 2)[0]); driver.Found != "" && number < least {
		if number >= leastDriver[12] {
			needs += ", CUDA 12 does with this one (make setup-cuda CUDA=12)"
		}
		driver.Fault = fmt.Sprintf("the NVIDIA driver is %s%s", driver.Found, needs)
	}
	gpus, _ := filepath.Glob(m.root + "/dev/nvidia[0-9]*")
	devices := Part{Name: "GPU devices", Found: strings.Join(gpus, " ")}
	if len(gpus) == 0 {
		devices.Fault = "no NVIDIA GPU: there is no /dev/nvidia0 (a container must be started with --gpus all)"
	}
	return []Part{driver, devices}
}

var driverNumber = regexp.MustCompile(`\b[0-9]{3,4}\.[0-9]+(\.[0-9]+)?\b`)

// driverVersion returns the version of libcuda.so.1, which may be later than the
// kernel module's (packages named cuda-compat), else the kernel module's.
func (m machine) driverVersion() string {
	if file, err := filepath.EvalSymlinks(m.find(libcuda)); err == nil {
		if version := driverNumber.FindString(filepath.Base(file)); version != "" {
			return version
		}
	}
	text, _ := os.ReadFile(m.root + kernelDriver)
	return string(driverNumber.Find(text))
}

// inspectLibraries looks for NVIDIA's libraries where the loader does. What is part of
// the driver is missing with it.
func (m machine) inspectLibraries(needed []string, major int) (parts []Part) {
	if major == 0 {
		return nil // no provider to ask
	}
	for _, name := range append(needed, cudnn) {
		source := sourceOf(name, major)
		if source == "" || name == libcuda && !m.hasDriver() {
			continue
		}
		part := Part{Name: name, Found: m.find(name)}
		if part.Found == "" {
			part.Fault = fmt.Sprintf("no %s (%s)", name, source)
		}
		parts = append(parts, part)
	}
	return parts
}

const libcuda = "libcuda.so.1"

// packages are where NVIDIA's libraries come from, by the file's name up to ".so":
// packages of NVIDIA's Debian repository and Python wheels, both for a CUDA version.
var packages = map[string]struct{ debian, wheel12, wheel13 string }{
	"libcudart":   {"cuda-cudart-%s", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime"},
	"libcublas":   {"libcublas-%s", "nvidia-cublas-cu12", "nvidia-cublas"},
	"libcublasLt": {"libcublas-%s", "nvidia-cublas-cu12", "nvidia-cublas"},
	"libcurand":   {"libcurand-%s", "nvidia-curand-cu12", "nvidia-curand"},
	"libcufft":    {"libcufft-%s", "nvidia-cufft-cu12", "nvidia-cufft"},
	"libcudnn":    {"libcudnn9-cuda-%s", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"},
}

// sourceOf says what has a library, "" for one that is not NVIDIA's.
func sourceOf(name string, major int) string {
	stem, _, _ := strings.Cut(name, ".so")
	if name == libcuda {
		return "part of NVIDIA's driver; for a container, NVIDIA_DRIVER_CAPABILITIES must have compute"
	}
	from, ok := packages[stem]
	if !ok {
		return ""
	}
	wheel, release := from.wheel13, fmt.Sprintf("%d-0", major)
	if major == 12 {
		wheel, release = from.wheel12, "12-9"
	}
	if name == cudnn {
		release = strconv.Itoa(major)
	}
	return fmt.Sprintf("NVIDIA's package %s or wheel %s", fmt.Sprintf(from.debian, release), wheel)
}

func (m machine) has(path string) bool {
	_, err := os.Stat(m.root + path)
	return err == nil
}
