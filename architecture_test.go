package ascood_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ascood/ascood"

// mayImport says which packages of the module each package may import, besides the
// root package, which all may: the floors of ARCHITECTURE.md, from the ground up.
var mayImport = map[string]string{
	// Formats and formulas, each useful alone.
	"onnx":                    "",
	"metrics":                 "",
	"internal/bmp":            "",
	"internal/tiff":           "",
	"preprocess":              "internal/bmp internal/libjpeg internal/tiff",
	"gotorch":                 "internal/sigstack",
	"gotorch/nn/functional":   "gotorch",
	"gotorch/optim":           "gotorch",
	"internal/atomicfile":     "",
	"internal/pickle":         "",
	"internal/cudastub":       "",
	"internal/sigstack":       "",
	"internal/check":          "",
	"internal/gpu":            "internal/sigstack",
	"internal/libjpeg":        "",
	"internal/malloc":         "",
	"dataset":                 "preprocess",
	"runs":                    "",
	"presets":                 "dataset preprocess",
	"checkpoint":              "internal/atomicfile internal/pickle preprocess",
	"models":                  "onnx",
	"weights":                 "checkpoint models",
	"artifact":                "internal/atomicfile metrics onnx preprocess",
	"importer":                "onnx",
	"internal/settings":       "",
	"posthoc":                 "artifact gradient internal/ort internal/settings onnx",
	"internal/windows":        "onnx",
	"internal/kernels":        "internal/windows onnx",
	"internal/ort":            "internal/gpu internal/kernels internal/malloc internal/sigstack onnx",
	"interpreter":             "gotorch gotorch/nn/functional onnx",
	"train":                   "artifact checkpoint dataset gotorch gotorch/nn/functional gotorch/optim internal/atomicfile internal/check internal/settings importer interpreter models onnx preprocess runs weights",
	"gradient":                "internal/windows onnx",
	"export":                  "artifact checkpoint gradient internal/atomicfile models onnx posthoc preprocess weights",
	"ioodin":                  "artifact dataset internal/check internal/gpu internal/ort onnx preprocess",
	"eval/features":           "internal/atomicfile posthoc",
	"eval":                    "artifact dataset eval/features internal/atomicfile ioodin metrics onnx posthoc",
	"eval/report":             "eval internal/atomicfile metrics posthoc",
	"study":                   "artifact checkpoint dataset internal/atomicfile metrics posthoc presets runs",
	"serve/drift":             "",
	"serve/keep":              "internal/atomicfile",
	"serve/keys":              "",
	"serve/scoring":           "artifact ioodin preprocess serve/drift",
	"serve/oip":               "artifact ioodin serve/scoring",
	"serve/inference":         "",
	"serve/rpc":               "serve/inference serve/oip serve/scoring",
	"serve/tracing":           "",
	"serve/heatmap":           "",
	"serve/openapi":           "",
	"serve":                   "artifact ioodin preprocess serve/drift serve/heatmap serve/inference serve/keep serve/keys serve/oip serve/openapi serve/rpc serve/scoring",
	"internal/pages":          "",
	"internal/cli":            "",
	"internal/cli/clitest":    "internal/cli internal/pages",
	"internal/cli/imageflags": "internal/cli preprocess",
	"internal/cli/modelflags": "artifact dataset internal/check internal/cli ioodin metrics onnx",
	"internal/testmodel":      "artifact checkpoint dataset export importer internal/ort ioodin models onnx posthoc preprocess",
	"internal/pytorch":        "internal/testmodel",
	// The programs, which connect all this.
	"cmd/ascood-train":      "gotorch internal/cli internal/cli/imageflags internal/ort models preprocess presets runs train",
	"cmd/ascood-export":     "artifact checkpoint dataset eval export importer internal/atomicfile internal/cli internal/cli/imageflags internal/cli/modelflags internal/ort ioodin models onnx posthoc preprocess",
	"cmd/ascood-score":      "dataset internal/atomicfile internal/cli internal/cli/modelflags ioodin",
	"cmd/ascood-eval":       "artifact checkpoint dataset eval eval/report export internal/atomicfile internal/cli internal/cli/modelflags ioodin metrics onnx posthoc preprocess presets runs",
	"cmd/ascood-study":      "internal/cli study",
	"cmd/ascood-serve":      "internal/cli internal/cli/modelflags serve serve/keep serve/keys serve/scoring serve/tracing",
	"scripts/bench":         "artifact export internal/cli internal/ort internal/testmodel models preprocess",
	"scripts/benchserve":    "internal/cli ioodin",
	"scripts/clothes":       "dataset internal/atomicfile internal/cli preprocess",
	"scripts/demo/idximage": "dataset internal/atomicfile internal/cli preprocess",
	"scripts/mutate":        "",
	"scripts/notices":       "",
}

// onlyIn says which packages may import a library; their names may end in "…".
var onlyIn = map[string]string{
	"github.com/yalue/onnxruntime_go":     "internal/ort",
	"github.com/labstack/echo/v4":         "serve",
	"github.com/prometheus/client_golang": "serve…",
	"github.com/nlpodyssey/safetensors":   "checkpoint eval/features",
	"github.com/tetratelabs/wazero":       "internal/libjpeg",
	"github.com/spf13/pflag":              "cmd/… internal/cli…",
	"gonum.org/v1/plot":                   "eval/report",
	"google.golang.org/protobuf":          "onnx artifact eval internal/ort serve/inference",
	"google.golang.org/grpc":              "serve…",
	"go.opentelemetry.io/otel":            "serve…",
	"C":                                   "gotorch internal/gpu internal/kernels internal/malloc internal/sigstack",
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, line := range goList(t, "{{.ImportPath}} {{join .Imports \" \"}}", "./...") {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		allowed, listed := mayImport[name]
		seen[name] = true
		if !listed && len(fields) > 1 && name != "" {
			t.Errorf("%s: say in this test which packages it may import", name)
			continue
		}
		for _, imported := range fields[1:] {
			own, ours := strings.CutPrefix(imported, module+"/")
			if ours && (name == "" || !slices.Contains(strings.Fields(allowed), own)) {
				t.Errorf("%s may not import %s", name, own)
			}
			for library, where := range onlyIn {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !slices.ContainsFunc(strings.Fields(where), func(pattern string) bool { return matches(name, pattern) }) {
					t.Errorf("%s may not import %s: that is for %s", name, imported, where)
				}
			}
		}
	}
	for name := range mayImport {
		if !seen[name] {
			t.Errorf("%s does not exist", name)
		}
	}
}

// offFloors are packages that are no part of the picture: for tests and scripts.
var offFloors = []string{"internal/pages", "internal/cudastub", "internal/cli/clitest", "internal/testmodel", "internal/pytorch", "scripts/…"}

// TestFloors: the picture in ARCHITECTURE.md has all packages, each above those that
// it may import.
func TestFloors(t *testing.T) {
	content, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, picture, _ := strings.Cut(string(content), "```text\n")
	picture, _, _ = strings.Cut(picture, "```")
	floor := map[string]int{} // counted from the top
	for i, line := range strings.Split(picture, "\n") {
		for _, name := range strings.Fields(line) {
			if _, ok := mayImport[name]; ok {
				floor[name] = i + 1
			}
		}
	}
	for name, allowed := range mayImport {
		if slices.ContainsFunc(offFloors, func(pattern string) bool { return matches(name, pattern) }) {
			continue
		}
		if floor[name] == 0 {
			t.Errorf("%s has no place in the picture of ARCHITECTURE.md", name)
		}
		for _, imported := range strings.Fields(allowed) {
			if floor[imported] <= floor[name] {
				t.Errorf("%s may import %s, but is not above it in the picture of ARCHITECTURE.md", name, imported)
			}
		}
	}
}

func matches(name, pattern string) bool {
	prefix, open := strings.CutSuffix(pattern, "…")
	return name == pattern || open && strings.HasPrefix(name, prefix)
}

// TestPrograms: what a program links is what it needs.
func TestPrograms(t *testing.T) {
	for program, without := range map[string][]string{
		"ascood-train":  {"net/http", "ioodin", "export"},
		"ascood-export": {"net/http", "gotorch"},
		"ascood-score":  {"net/http", "gotorch", "export"},
		"ascood-eval":   {"net/http", "gotorch"},
		"ascood-study":  {"net/http", "gotorch", "ioodin", "export"},
		"ascood-serve":  {"gotorch", "export", "eval"},
	} {
		for _, path := range goList(t, "{{.ImportPath}}", "-deps", "./cmd/"+program) {
			if slices.Contains(without, strings.TrimPrefix(path, module+"/")) {
				t.Errorf("%s links %s", program, path)
			}
		}
	}
}

// goList returns go list's lines.
func goList(t *testing.T, format string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-f", format}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
