package clitest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/pages"
)

// programOf says whose flags a page speaks of where it names no program. Other pages
// may only name flags so that all programs have.
var programOf = map[string]string{
	"docs/training.md":     "ascood-train",
	"docs/add-a-method.md": "ascood-train",
	"docs/artifact.md":     "ascood-export",
	"docs/onnx.md":         "ascood-export",
	"docs/scoring.md":      "ascood-score",
	"docs/evaluation.md":   "ascood-eval",
	"docs/plans.md":        "ascood-study",
	"docs/http-api.md":     "ascood-serve",
	"docs/deploy.md":       "ascood-serve",
	"docs/gpu.md":          "ascood-serve",
}

// history is of flags that there were, too.
const history = "CHANGELOG.md"

// CheckDocuments makes sure that the command in the current folder has the flags
// with which the documents and its own help show it.
func CheckDocuments(t *testing.T, run cli.Run) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Base(dir)
	var help bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &help, io.Discard); !errors.Is(err, pflag.ErrHelp) {
		t.Fatalf("--help: %v", err)
	}
	known := map[string]bool{"-h": true, "--help": true}
	for _, match := range regexp.MustCompile(`(?m)^ +(?:(-\w), )?(--[a-z-]+)`).FindAllStringSubmatch(help.String(), -1) {
		known[match[1]], known[match[2]] = true, true
	}
	commands := 0
	for _, p := range append(pages.Read(t), pages.Page{Path: "the help", Code: []string{help.String()}}) {
		if p.Path == history {
			continue
		}
		lines := p.Commands(program)
		commands += len(lines)
		if owner := programOf[p.Path]; owner == program || owner == "" {
			for _, span := range p.Spans() {
				lines = append(lines, []string{program, span})
			}
		}
		for _, words := range lines {
			for _, flag := range flagsOf(words) {
				if !known[flag] {
					t.Errorf("%s: %s has no flag %s", p.Path, program, flag)
				}
			}
		}
	}
	if commands < 3 {
		t.Errorf("%d commands found in documents and help", commands)
	}
}

var flagWord = regexp.MustCompile(`^(--[a-z][a-z-]*|-[a-z])(?:[= ]|$)`)

// flagsOf returns the flags of a command, up to where another one begins.
func flagsOf(words []string) []string {
	var found []string
	for _, word := range words {
		if strings.IndexAny(word, "|;&<>#") == 0 {
			break
		}
		if match := flagWord.FindStringSubmatch(word); match != nil {
			found = append(found, match[1])
		}
	}
	return found
}
