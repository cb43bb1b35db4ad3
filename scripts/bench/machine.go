package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
)

// fact is something about the machine or what is installed.
type fact struct{ name, value string }

// describe says what is measured, and where.
func describe(ctx context.Context) ([]fact, error) {
	output := func(name string, args ...string) string {
		text, err := exec.CommandContext(ctx, name, args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil, err
	}
	torch := output("/usr/bin/python3", "-c", "import torch; print(torch.__version__)")
	if torch == "" {
		torch = "python3-torch is not installed: nothing is compared with it"
	} else if output("/usr/bin/python3", "-c", "import torchvision; print(1)") == "" {
		torch += "; python3-torchvision is not installed: scores are not compared with it"
	}
	parts, err := ort.Inspect(ascood.Device{})
	if err != nil {
		return nil, err
	}
	runtimeVersion, _, _ := strings.Cut(parts[0].Found, ",")
	return []fact{
		{"date", time.Now().UTC().Format("2006-01-02 15:04 UTC")},
		{"ascood", strings.TrimSpace(ascood.Version + " " + output("git", "describe", "--always", "--dirty", "--exclude=*"))},
		{"processor", fmt.Sprintf("%s, %d cores, %s", processor(), runtime.NumCPU(), kernels())},
		{"memory", memory()},
		{"system", output("uname", "-sr")},
		{"load before", strings.Join(strings.Fields(string(load))[:3], " ") + " (0 on a machine that does nothing else)"},
		{"Go", runtime.Version()},
		{"ONNX Runtime", runtimeVersion},
		{"PyTorch", torch},
	}, nil
}

// field reads the value of the first line of a name in a file of /proc.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	match := regexp.MustCompile(`(?m)^` + name + `\s*:\s*(.*)$`).FindSubmatch(text)
	if match == nil {
		return ""
	}
	return string(match[1])
}

func processor() string {
	if name := field("/proc/cpuinfo", "model name"); name != "" {
		return name
	}
	return runtime.GOARCH
}

// kernels names the widest instructions that numerical libraries have kernels for.
func kernels() string {
	flags := strings.Fields(field("/proc/cpuinfo", "flags"))
	for _, k := range [][2]string{{"amx_tile", "AMX"}, {"avx512_bf16", "AVX-512 with bfloat16"}, {"avx512f", "AVX-512"}, {"avx2", "AVX2"}} {
		for _, f := range flags {
			if f == k[0] {
				return k[1]
			}
		}
	}
	return runtime.GOARCH
}

func memory() string {
	var kB float64
	if _, err := fmt.Sscan(field("/proc/meminfo", "MemTotal"), &kB); err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%.0f GiB", kB/(1<<20))
}
