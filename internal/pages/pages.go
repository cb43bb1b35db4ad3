// Package pages reads the documents of the repository, for tests that hold them to
// the code.
package pages

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Page is a document, taken apart.
type Page struct {
	Path  string   // relative to the repository
	Prose string   // all but blocks of code
	Code  []string // the blocks of code
}

// Read returns the pages at the root of the repository and in docs/, but for the
// notices, which are made by a program.
func Read(t *testing.T) []Page {
	t.Helper()
	var pages []Page
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := filepath.Glob(filepath.Join(Root(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if filepath.Base(path) != "THIRD_PARTY_NOTICES.md" {
				pages = append(pages, read(t, path))
			}
		}
	}
	return pages
}

// Root is the folder of the repository.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod in the folders above")
		}
		dir = filepath.Dir(dir)
	}
}

func read(t *testing.T, path string) Page {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Rel(Root(t), path)
	if err != nil {
		t.Fatal(err)
	}
	p := parse(string(content))
	p.Path = filepath.ToSlash(name)
	return p
}

// parse separates prose from blocks of code, which stand between fences or are
// indented by four spaces.
func parse(content string) Page {
	var p Page
	var prose, block []string
	end := func() {
		if len(block) > 0 {
			p.Code = append(p.Code, strings.Join(block, "\n"))
		}
		block = nil
	}
	fenced := false
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, "\n")
		indented, isIndented := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasPrefix(line, "```"):
			end()
			fenced = !fenced
		case fenced:
			block = append(block, line)
		case isIndented:
			block = append(block, indented)
		default:
			end()
			prose = append(prose, line)
		}
	}
	end()
	p.Prose = strings.Join(prose, "\n")
	return p
}

var (
	span    = regexp.MustCompile("`([^`]+)`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Spans returns the code in the prose.
func (p Page) Spans() []string {
	spans := submatches(span, p.Prose)
	for i, s := range spans {
		spans[i] = strings.Join(strings.Fields(s), " ") // lines may break in it
	}
	return spans
}

// Links returns where the page's links go.
func (p Page) Links() []string { return submatches(link, p.Prose) }

// Anchors returns what links to the page's sections end in, after "#".
func (p Page) Anchors() []string {
	anchors := submatches(heading, p.Prose)
	for i, text := range anchors {
		anchors[i] = strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
	}
	return anchors
}

// Commands returns the command lines in the page's code and prose, each as words,
// that call a program of the given name.
func (p Page) Commands(program string) [][]string {
	var found [][]string
	for _, code := range slices.Concat(p.Code, p.Spans()) {
		for line := range strings.Lines(strings.ReplaceAll(code, "\\\n", " ")) {
			words := strings.Fields(line)
			at := slices.IndexFunc(words, func(w string) bool { return w == program || w == "bin/"+program })
			if at >= 0 {
				found = append(found, words[at:])
			}
		}
	}
	return found
}

func submatches(of *regexp.Regexp, text string) []string {
	var found []string
	for _, match := range of.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}
