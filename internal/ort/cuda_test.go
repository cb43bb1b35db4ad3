package ort

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// cudaLibraries are what the provider for CUDA 13 links to.
var cudaLibraries = []string{"libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10", "libcudart.so.13", "libcuda.so.1"}

// complete makes a machine that has all that CUDA needs, with a library and a provider
// of the given versions, and returns the library's path.
func complete(t *testing.T, libraryVersion, providerVersion string) (m machine, library string) {
	t.Helper()
	m = machine{root: t.TempDir(), libraryPath: "/cuda/lib:/none"}
	put(t, m.root+"/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n")
	put(t, m.root+"/dev/nvidia0", "")
	dir := t.TempDir()
	var link []string
	for _, name := range cudaLibraries {
		compile(t, m.root+"/cuda/lib/"+name, "", "-Wl,-soname,"+name)
		link = append(link, "-l:"+name)
	}
	put(t, m.root+"/cuda/lib/"+cudnn, "")
	put(t, dir+"/versions", "VERS_"+libraryVersion+" { global: *; };\n")
	library = filepath.Join(dir, "libonnxruntime.so.1")
	compile(t, library, "void OrtGetApiBase(void) {}", "-Wl,--version-script="+dir+"/versions")
	put(t, filepath.Join(dir, providerFiles[0]), "")
	compile(t, filepath.Join(dir, provider), `const char other[] = "cuDNN", version[] = "`+providerVersion+`";`,
		append([]string{"-Wl,--no-as-needed", "-L" + m.root + "/cuda/lib"}, link...)...)
	return m, library
}

// compile makes a shared library.
func compile(t *testing.T, path, source string, flags ...string) {
	t.Helper()
	put(t, path, "")
	cmd := exec.CommandContext(t.Context(), "gcc", append([]string{"-shared", "-fPIC", "-o", path, "-x", "c", "-", "-x", "none"}, flags...)...)
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCheckCUDA takes away one part after the other and looks for its name.
func TestCheckCUDA(t *testing.T) {
	m, library := complete(t, "1.29.0", "1.29.0")
	beside := filepath.Dir(library) + "/"
	if err := m.checkCUDA(library); err != nil {
		t.Fatalf("nothing is missing, but: %v", err)
	}
	var all []string
	for _, part := range []struct{ path, says string }{
		{beside + "libonnxruntime_providers_shared.so", "no CUDA provider: libonnxruntime_providers_shared.so is not beside " + library},
		{beside + provider, "no CUDA provider: " + provider + " is not beside " + library},
		{m.root + "/proc/driver/nvidia/version", "no NVIDIA driver: there is no /proc/driver/nvidia/version (Debian's package nvidia-driver; a container must be started with --gpus all; CUDA 13 needs 580 or later)"},
		{m.root + "/dev/nvidia0", "no NVIDIA GPU: there is no /dev/nvidia0"},
		{m.root + "/cuda/lib/libcuda.so.1", "no libcuda.so.1 (part of NVIDIA's driver"},
		{m.root + "/cuda/lib/libcudart.so.13", "no libcudart.so.13 (NVIDIA's package cuda-cudart-13-0 or wheel nvidia-cuda-runtime)"},
		{m.root + "/cuda/lib/libcublas.so.13", "no libcublas.so.13 (NVIDIA's package libcublas-13-0 or wheel nvidia-cublas)"},
		{m.root + "/cuda/lib/libcublasLt.so.13", "no libcublasLt.so.13 (NVIDIA's package libcublas-13-0"},
		{m.root + "/cuda/lib/libcurand.so.10", "no libcurand.so.10 (NVIDIA's package libcurand-13-0"},
		{m.root + "/cuda/lib/libcudnn.so.9", "no libcudnn.so.9 (NVIDIA's package libcudnn9-cuda-13 or wheel nvidia-cudnn-cu13)"},
	} {
		away := filepath.Join(m.root, "away")
		if err := os.Rename(part.path, away); err != nil {
			t.Fatal(err)
		}
		err := m.checkCUDA(library)
		if ascood.CodeOf(err) != ascood.Unavailable || !strings.Contains(err.Error(), part.says) || strings.Contains(err.Error(), "; no ") {
			t.Errorf("without %s: error %v, want that alone: %s", part.path, err, part.says)
		}
		if err := os.Rename(away, part.path); err != nil {
			t.Fatal(err)
		}
		// On an empty machine the provider is there, and what the driver shows is not known.
		if !strings.HasPrefix(part.path, beside) && !strings.HasSuffix(part.path, "/nvidia0") && !strings.HasSuffix(part.path, libcuda) {
			all = append(all, part.says)
		}
	}
	err := machine{root: t.TempDir()}.checkCUDA(library)
	for _, says := range all {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("on an empty machine: error %v, want all that is missing: %s", err, says)
		}
	}
}

// TestCheckCUDAVersions: a provider of another version would crash the process.
func TestCheckCUDAVersions(t *testing.T) {
	for _, test := range []struct{ library, provider, says string }{
		{"1.29.0", "1.28.2", "is of ONNX Runtime 1.28.2, the library beside it of 1.29.0"},
		{"1.29.0", "1.29.01", "is of ONNX Runtime 1.29.01,"},
		{"1.29.0", "no version", ""},
	} {
		m, library := complete(t, test.library, test.provider)
		if err := m.checkCUDA(library); (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("library %s, provider %s: error %v, want %q", test.library, test.provider, err, test.says)
		}
	}
	m, library := complete(t, "1.29.0", "1.29.0")
	put(t, filepath.Join(filepath.Dir(library), provider), "a page that says that there is no such file")
	if err := m.checkCUDA(library); err == nil || !strings.Contains(err.Error(), provider+": bad magic number") {
		t.Errorf("error %v", err)
	}
}

// TestCheckCUDADriver: the driver must be of the CUDA's age; cuda-compat makes up for
// an old one, and WSL2 shows none.
func TestCheckCUDADriver(t *testing.T) {
	m, library := complete(t, "1.29.0", "1.29.0")
	for version, want := range map[string]string{
		"470.256.02": "the NVIDIA driver is 470.256.02; CUDA 13 needs 580 or later",
		"535.216.01": "the NVIDIA driver is 535.216.01; CUDA 13 needs 580 or later, CUDA 12 does with this one (make setup-cuda CUDA=12)",
	} {
		put(t, m.root+"/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  "+version+"  Tue Sep 17 16:54:26 UTC 2024\nGCC version:  gcc version 12.2.0\n")
		if err := m.checkCUDA(library); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	libcuda := m.root + "/cuda/lib/libcuda.so.1"
	if err := os.Rename(libcuda, m.root+"/cuda/lib/libcuda.so.580.95.05"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("libcuda.so.580.95.05", libcuda); err != nil {
		t.Fatal(err)
	}
	if err := m.checkCUDA(library); err != nil {
		t.Errorf("with cuda-compat: %v", err)
	}
	for _, path := range []string{"/proc/driver/nvidia/version", "/dev/nvidia0"} {
		if err := os.Remove(m.root + path); err != nil {
			t.Fatal(err)
		}
	}
	put(t, m.root+"/dev/dxg", "")
	if err := m.checkCUDA(library); err != nil {
		t.Errorf("on WSL2: %v", err)
	}
}

// TestFind looks where the loader does.
func TestFind(t *testing.T) {
	m := machine{root: t.TempDir(), libraryPath: "/first:/second"}
	const name = "libcudnn.so.9"
	put(t, m.root+"/etc/ld.so.cache", cacheOf("libother.so.1", "/opt/libother.so.1", name, "/opt/cudnn/"+name))
	expect := func(want string) {
		t.Helper()
		if want != "" {
			put(t, m.root+want, "")
			want = m.root + want
		}
		if got := m.find(name); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	}
	expect("") // the cache names a file that is gone
	expect("/usr/lib/" + name)
	expect("/opt/cudnn/" + name)
	expect("/second/" + name)
	expect("/first/" + name)
	for _, broken := range []string{"", cacheMagic, cacheOf(name, "/x")[:60], "ld.so-1.7.0 and nothing else"} {
		if path := cached([]byte(broken), name); path != "" {
			t.Errorf("found %s in the cache %q", path, broken)
		}
	}
}

// TestFindHere: the C library has been loaded, so it can be found.
func TestFindHere(t *testing.T) {
	if path := (machine{}).find("libc.so.6"); path == "" {
		t.Error("libc.so.6 is not found")
	}
	cache, err := os.ReadFile("/etc/ld.so.cache") // which musl does without
	if path := cached(cache, "libc.so.6"); err == nil && !strings.HasSuffix(path, "/libc.so.6") {
		t.Errorf("the cache has libc.so.6 at %q", path)
	}
}

// cacheOf writes a loader's cache of names and paths.
func cacheOf(pairs ...string) string {
	const header, entry = 48, 24
	var entries, text bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		base := header + entry*len(pairs)/2
		key := base + text.Len()
		fmt.Fprintf(&text, "%s\x00", pairs[i])
		value := base + text.Len()
		fmt.Fprintf(&text, "%s\x00", pairs[i+1])
		binary.Write(&entries, binary.NativeEndian, []uint32{0x0303, uint32(key), uint32(value), 0, 0, 0})
	}
	head := make([]byte, header)
	copy(head, cacheMagic)
	binary.NativeEndian.PutUint32(head[len(cacheMagic):], uint32(len(pairs)/2))
	return "ld.so-1.7.0 older entries" + string(head) + entries.String() + text.String()
}
