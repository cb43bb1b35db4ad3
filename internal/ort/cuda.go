package ort

import (
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
	err := machine{libraryPath: os.Getenv("LD_LIBRARY_PATH")}.checkCUDA(library)
	foundCUDA.Store(err == nil)
	return err
}

// checkCUDA returns an ascood.Unavailable error that names all that CUDA needs
// beside the given ONNX Runtime library and that is not there.
func (m machine) checkCUDA(library string) error {
	missing, needed := checkProvider(library)
	major := cudaMajor(needed)
	missing = append(missing, m.checkDriver(major)...)
	missing = append(missing, m.checkLibraries(needed, major)...)
	if len(missing) == 0 {
		return nil
	}
	return ascood.Errorf(ascood.Unavailable, "CUDA cannot be used (docs/gpu.md): %s", strings.Join(missing, "; "))
}

// checkProvider says what is wrong with the provider's files, and which libraries
// it needs.
func checkProvider(library string) (missing, needed []string) {
	dir := filepath.Dir(library)
	for _, name := range providerFiles {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			missing = append(missing, fmt.Sprintf("no CUDA provider: %s is not beside %s (%s)", name, library, providerRemedy()))
		}
	}
	if len(missing) > 0 {
		return missing, nil
	}
	path := filepath.Join(dir, provider)
	needed, have, err := readProvider(path, libraryVersion(library))
	if err != nil {
		return []string{fmt.Sprintf("no CUDA provider: %s: %v", path, err)}, nil
	}
	if want := libraryVersion(library); want != "" && have != "" && have != want {
		missing = append(missing, fmt.Sprintf("%s is of ONNX Runtime %s, the library beside it of %s: they must be of one version", path, have, want))
	}
	return missing, needed
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
	if text := string(data); want != "" && strings.Contains(text, "\x00"+want+"\x00") {
		return needed, want, nil
	}
	if found := providerVersion.FindSubmatch(data); found != nil {
		version = string(found[1])
	}
	return needed, version, nil
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

// checkDriver says what is wrong with the driver, or else with the GPUs.
func (m machine) checkDriver(major int) (missing []string) {
	if m.has("/dev/dxg") {
		return nil
	}
	needs, least := "", leastDriver[major]
	if least > 0 {
		needs = fmt.Sprintf("; CUDA %d needs %d or later", major, least)
	}
	if !m.hasDriver() {
		return []string{fmt.Sprintf("no NVIDIA driver: there is no %s (Debian's package nvidia-driver; a container must be started with --gpus all%s)", kernelDriver, needs)}
	}
	version := m.driverVersion()
	if number, _ := strconv.Atoi(strings.SplitN(version, ".", 2)[0]); version != "" && number < least {
		if number >= leastDriver[12] {
			needs += ", CUDA 12 does with this one (make setup-cuda CUDA=12)"
		}
		missing = append(missing, fmt.Sprintf("the NVIDIA driver is %s%s", version, needs))
	}
	if gpus, _ := filepath.Glob(m.root + "/dev/nvidia[0-9]*"); len(gpus) == 0 {
		missing = append(missing, "no NVIDIA GPU: there is no /dev/nvidia0 (a container must be started with --gpus all)")
	}
	return missing
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

// checkLibraries says which of NVIDIA's libraries the loader would not find. What is
// part of the driver is missing with it.
func (m machine) checkLibraries(needed []string, major int) (missing []string) {
	if major == 0 {
		return nil // no provider to ask
	}
	for _, name := range append(needed, cudnn) {
		if name == libcuda && !m.hasDriver() {
			continue
		}
		if source := sourceOf(name, major); source != "" && m.find(name) == "" {
			missing = append(missing, fmt.Sprintf("no %s (%s)", name, source))
		}
	}
	return missing
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
