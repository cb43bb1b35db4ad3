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
// for two architectures, each with its name as content, and the digits.
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
tar -czf archive.tgz -C %[1]s package
echo archive.tgz
`, dir))
	// The digest that is wanted is in the script, before the first file.
	put(t, filepath.Join(tools, "sha512sum"), fmt.Sprintf(`#!/bin/sh
package=$(tail -n 1 %[1]s/fetched | sed 's/.* //')
grep -A 1 -F "fetch $package" %[1]s/scripts/setup.sh | grep -oE '[0-9a-f]{128}'
`, dir))
	for _, arch := range []string{"x64", "arm64"} {
		put(t, filepath.Join(dir, "package", "bin", "napi-v6", "linux", arch, "libonnxruntime.so.1"), arch)
	}
	for _, file := range []string{"images-idx3", "labels-idx1"} {
		put(t, filepath.Join(dir, "package", "data", "t10k-"+file+"-ubyte"), "digits")
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
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", "setup.sh"), args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "tools")+":"+os.Getenv("PATH"),
		"TEST_SYSTEM="+system, "TEST_MACHINE="+machine, "ONNXRUNTIME_LIB=", "LIBTORCH=")
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
