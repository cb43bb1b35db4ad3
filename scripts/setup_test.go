// Package scripts tests the scripts.
package scripts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine makes a folder with setup.sh in which nothing is fetched and nothing
// installed: every Debian package is there, and npm's one archive has ONNX Runtime
// for two architectures, each with its name as content, the CUDA provider, and the
// digits. npm install puts there what the folder "installed" holds.
func machine(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	script, err := os.ReadFile("setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "scripts", "setup.sh"), string(script))
	put(t, filepath.Join(dir, "gotorch", "shim", "build.sh"), "#!/bin/sh\n")
	tools := filepath.Join(dir, "tools")
	put(t, filepath.Join(tools, "uname"), `#!/bin/sh
case $1 in
-s) echo "$TEST_SYSTEM" ;;
-m) echo "$TEST_MACHINE" ;;
esac
`)
	put(t, filepath.Join(tools, "dpkg-query"), "#!/bin/sh\necho installed\n")
	put(t, filepath.Join(tools, "npm"), fmt.Sprintf(`#!/bin/sh
echo "$@" >>%[1]s/fetched
if [ "$1" = install ]; then
	while [ "$1" != --prefix ]; do shift; done
	test -d %[1]s/installed || { echo "ENETUNREACH"; exit 1; }
	mkdir -p "$2/node_modules/onnxruntime-node"
	cp -r %[1]s/installed "$2/node_modules/onnxruntime-node/bin"
	exit
fi
tar -czf archive.tgz -C %[1]s package
echo archive.tgz
`, dir))
	// The digest that is wanted is in the script, before the first file.
	put(t, filepath.Join(tools, "sha512sum"), fmt.Sprintf(`#!/bin/sh
package=$(tail -n 1 %[1]s/fetched | sed 's/.* //; s/onnxruntime-node@.*/onnxruntime-node@/')
grep -A 1 -E "fetch \"?$package" %[1]s/scripts/setup.sh | grep -oE '[0-9a-f]{128}'
`, dir))
	for _, arch := range []string{"x64", "arm64"} {
		put(t, filepath.Join(dir, "package", "bin", "napi-v6", "linux", arch, "libonnxruntime.so.1"), arch)
	}
	for _, file := range []string{"shared", "cuda"} {
		put(t, filepath.Join(dir, "package", "Plugins", "Linux", "x64", "libonnxruntime_providers_"+file+".so"), "libcublas.so.13")
	}
	for _, file := range []string{"t10k-images-idx3", "t10k-labels-idx1", "train-images-idx3"} {
		put(t, filepath.Join(dir, "package", "data", file+"-ubyte"), "digits")
	}
	return dir
}

// put writes an executable file.
func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

// setup runs the script as on a system and machine of those names.
func setup(t *testing.T, dir, system, machine string, args ...string) (said string, err error) {
	t.Helper()
	return setupCUDA(t, dir, "", system, machine, args...)
}

// setupCUDA is setup with CUDA=cudaMajor in the environment.
func setupCUDA(t *testing.T, dir, cudaMajor, system, machine string, args ...string) (said string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", "setup.sh"), args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "tools")+":"+os.Getenv("PATH"),
		"TEST_SYSTEM="+system, "TEST_MACHINE="+machine, "ONNXRUNTIME_LIB=", "LIBTORCH=", "CUDA="+cudaMajor)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestSetupArchitecture: each machine gets the library that it can load.
func TestSetupArchitecture(t *testing.T) {
	for name, want := range map[string]string{"x86_64": "x64", "aarch64": "arm64"} {
		dir := machine(t)
		said, err := setup(t, dir, "Linux", name)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
		if have, _ := os.ReadFile(filepath.Join(dir, "lib", "libonnxruntime.so.1")); string(have) != want {
			t.Errorf("%s gets the library of %q, want %s", name, have, want)
		}
		if said, err := setup(t, dir, "Linux", name); err != nil || said != "" {
			t.Errorf("a second run says %q, %v; there was nothing to do", said, err)
		}
	}
}

// TestSetupRuntime: an image of the server needs the library alone.
func TestSetupRuntime(t *testing.T) {
	dir := machine(t)
	if said, err := setup(t, dir, "Linux", "x86_64", "runtime"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if have, _ := os.ReadFile(filepath.Join(dir, "lib", "libonnxruntime.so.1")); string(have) != "x64" {
		t.Errorf("the library is %q", have)
	}
	if fetched, err := os.ReadFile(filepath.Join(dir, "fetched")); err != nil || strings.Count(string(fetched), "\n") != 1 {
		t.Errorf("fetched %s, %v", fetched, err)
	}
}

// TestSetupElsewhere: a machine for which there is nothing to fetch is told so
// before anything is fetched.
func TestSetupElsewhere(t *testing.T) {
	for _, c := range []struct{ system, machine, part, want string }{
		{"Linux", "riscv64", "cpu", "not for Linux on riscv64; name a library of your own: ONNXRUNTIME_LIB="},
		{"Darwin", "arm64", "cpu", "not for Darwin on arm64"},
		{"Darwin", "x86_64", "cuda", "not for Darwin on x86_64"},
		{"Linux", "aarch64", "cuda", "CUDA provider can be fetched for x86_64 alone, not for aarch64"},
	} {
		dir := machine(t)
		said, err := setup(t, dir, c.system, c.machine, c.part)
		if err == nil || !strings.Contains(said, c.want) {
			t.Errorf("%s %s, %s: %v, said %q, want %q", c.system, c.machine, c.part, err, said, c.want)
		}
		if fetched, err := os.ReadFile(filepath.Join(dir, "fetched")); err == nil {
			t.Errorf("%s %s, %s: fetched %s", c.system, c.machine, c.part, fetched)
		}
	}
}

// TestSetupCUDA: the provider comes beside the library, for the CUDA that is asked
// for, whatever was there; nothing is fetched twice, and what cannot be had leaves
// what there was.
func TestSetupCUDA(t *testing.T) {
	dir := machine(t)
	provider := filepath.Join(dir, "lib", "libonnxruntime_providers_cuda.so")
	installed := filepath.Join(dir, "installed", "napi-v6", "linux", "x64")
	step := func(cuda, fails, has string) {
		t.Helper()
		said, err := setupCUDA(t, dir, cuda, "Linux", "x86_64", "cuda")
		if (err != nil) != (fails != "") || !strings.Contains(said, fails) {
			t.Errorf("CUDA=%s: %v, said %q, want %q", cuda, err, said, fails)
		}
		if have, _ := os.ReadFile(provider); !strings.Contains(string(have), has) {
			t.Errorf("CUDA=%s: the provider is %q, want one of %s", cuda, have, has)
		}
		if _, err := os.Stat(filepath.Join(dir, "lib", "libonnxruntime_providers_shared.so")); err != nil {
			t.Errorf("CUDA=%s: %v", cuda, err)
		}
	}
	step("", "", "libcublas.so.13")
	step("12", "could not be fetched; put libonnxruntime_providers_shared.so and", "libcublas.so.13")
	put(t, filepath.Join(installed, "libonnxruntime.so.1"), "the library alone")
	step("12", "installer has fetched no libonnxruntime_providers_cuda.so", "libcublas.so.13")
	put(t, filepath.Join(installed, "libonnxruntime_providers_shared.so"), "")
	put(t, filepath.Join(installed, "libonnxruntime_providers_cuda.so"), "libcublas.so.12\x001.28.0\x00")
	step("12", "is not of ONNX Runtime 1.29.0", "libcublas.so.13")
	put(t, filepath.Join(installed, "libonnxruntime_providers_cuda.so"), "libcublas.so.12\x001.29.0\x00")
	step("12", "", "libcublas.so.12")
	step("13", "", "libcublas.so.13")
	step("11", "can be fetched for CUDA 12 and 13", "libcublas.so.13")
	before, _ := os.ReadFile(filepath.Join(dir, "fetched"))
	step("", "", "libcublas.so.13")
	if after, _ := os.ReadFile(filepath.Join(dir, "fetched")); len(after) != len(before) {
		t.Errorf("what was there was fetched again: %s", after)
	}
}

// TestSetupCUDAOfOwnLibrary: a provider of another version would not be loaded.
func TestSetupCUDAOfOwnLibrary(t *testing.T) {
	dir := machine(t)
	t.Setenv("PATH", filepath.Join(dir, "tools")+":"+os.Getenv("PATH"))
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", "setup.sh"), "cuda")
	cmd.Env = append(os.Environ(), "TEST_SYSTEM=Linux", "TEST_MACHINE=x86_64", "ONNXRUNTIME_LIB=/opt/libonnxruntime.so")
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "put the CUDA provider of its version beside it") {
		t.Errorf("%v, said %q", err, said)
	}
}
