package ascood_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/pages"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/presets"
)

// TestLinks: what the documents link to is there, the section included.
func TestLinks(t *testing.T) {
	all := pages.Read(t)
	anchors := map[string][]string{}
	for _, p := range all {
		anchors[p.Path] = p.Anchors()
	}
	for _, p := range all {
		for _, link := range p.Links() {
			if strings.Contains(link, "://") {
				continue
			}
			target, section, _ := strings.Cut(link, "#")
			if target = path.Join(path.Dir(p.Path), target); strings.HasPrefix(link, "#") {
				target = p.Path
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", p.Path, link, err)
			}
			if section != "" && !slices.Contains(anchors[target], section) {
				t.Errorf("%s links to %s: there is no such section, but %q", p.Path, link, anchors[target])
			}
		}
	}
}

// sources are the ends of names of files that people write.
var sources = []string{".go", ".md", ".py", ".sh", ".js", ".html", ".proto"}

// placeholder matches the parts of paths that stand for others.
var placeholder = regexp.MustCompile(`\b(METHOD|SET|NAME|FOLDER|TYPE|PATH)\b`)

// TestPaths: files and folders that the documents name are there, unless programs
// make them.
func TestPaths(t *testing.T) {
	ignored, err := os.ReadFile(".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages.Read(t) {
		for _, name := range p.Spans() {
			first, _, nested := strings.Cut(name, "/")
			if strings.ContainsAny(name, " $=<…") || first == "" || placeholder.MatchString(name) || strings.Contains(string(ignored), "/"+first+"/") {
				continue
			}
			_, err := os.Stat(first)
			written := slices.ContainsFunc(sources, func(end string) bool { return strings.HasSuffix(name, end) })
			if !(nested && err == nil) && !written && !strings.HasSuffix(name, "/") {
				continue
			}
			if found, err := filepath.Glob(strings.TrimSuffix(name, "/")); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there (%v)", p.Path, name, err)
			}
		}
	}
}

// TestTargets: make knows what the documents have it make.
func TestTargets(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages.Read(t) {
		for _, code := range slices.Concat(p.Spans(), p.Code) {
			for _, match := range regexp.MustCompile(`\bmake ([a-z][a-z-]*)`).FindAllStringSubmatch(code, -1) {
				if !strings.Contains(string(makefile), "\n"+match[1]+": ") {
					t.Errorf("%s: make has no target %s", p.Path, match[1])
				}
			}
		}
	}
}

var (
	goName   = regexp.MustCompile(`^([a-z]+)\.(\w+(?:\.\w+)?)$`)
	testName = regexp.MustCompile(`^(?:Test|Benchmark|Fuzz)[A-Z]\w*$`)
)

// TestGoNames: packages have what the documents say that they have, and tests have
// the names that the documents give them.
func TestGoNames(t *testing.T) {
	declared, tests, keys := declarations(t)
	for _, p := range pages.Read(t) {
		for _, span := range p.Spans() {
			if match := goName.FindStringSubmatch(span); match != nil {
				if names, ours := declared[match[1]]; ours && !names[match[2]] && !keys[span] && !isFile(span) {
					t.Errorf("%s: there is no %s", p.Path, span)
				}
			}
			if testName.MatchString(span) && !tests[span] {
				t.Errorf("%s: there is no test %s", p.Path, span)
			}
		}
	}
}

// isFile reports whether a name such as train.txt is that of a file.
func isFile(name string) bool {
	return slices.Contains([]string{".go", ".md", ".txt", ".json", ".csv", ".onnx", ".py"}, path.Ext(name))
}

// declarations returns, by package, what it declares, methods and fields as
// Type.Name; the functions of all tests; and the keys of metadata, such as
// ascood.format.
func declarations(t *testing.T) (declared map[string]map[string]bool, tests, keys map[string]bool) {
	t.Helper()
	declared, tests, keys = map[string]map[string]bool{}, map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		names := tests
		if !strings.HasSuffix(name, "_test.go") {
			if declared[file.Name.Name] == nil {
				declared[file.Name.Name] = map[string]bool{}
			}
			names = declared[file.Name.Name]
		}
		for _, d := range file.Decls {
			declare(names, d)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if key, ok := n.(*ast.BasicLit); ok && strings.HasPrefix(key.Value, `"ascood.`) {
				keys[strings.Trim(key.Value, `"`)] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return declared, tests, keys
}

func declare(names map[string]bool, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			receiver := d.Recv.List[0].Type
			if pointer, ok := receiver.(*ast.StarExpr); ok {
				receiver = pointer.X
			}
			if of, ok := receiver.(*ast.Ident); ok {
				name = of.Name + "." + name
			}
		}
		names[name] = true
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					names[name.Name] = true
				}
			case *ast.TypeSpec:
				names[spec.Name.Name] = true
				ast.Inspect(spec.Type, func(n ast.Node) bool {
					if field, ok := n.(*ast.Field); ok {
						for _, name := range field.Names {
							names[spec.Name.Name+"."+name.Name] = true
						}
					}
					return true
				})
			}
		}
	}
}

// TestListsAreComplete: pages that list what there is to choose from list all of it.
func TestListsAreComplete(t *testing.T) {
	lists := map[string][]string{
		"docs/training.md":   slices.Concat(models.Archs(), presets.Names()),
		"docs/artifact.md":   artifact.Outputs(),
		"docs/evaluation.md": posthoc.Names(),
	}
	for _, p := range pages.Read(t) {
		for _, name := range lists[p.Path] {
			if !slices.Contains(p.Spans(), name) {
				t.Errorf("%s does not name %s", p.Path, name)
			}
		}
		delete(lists, p.Path)
	}
	for name := range lists {
		t.Errorf("%s is not there", name)
	}
}

// TestLibraryExample: the code of the page on the library is that of the package's
// example, which the compiler has seen.
func TestLibraryExample(t *testing.T) {
	example, err := os.ReadFile("ioodin/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	flat := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	for _, p := range pages.Read(t) {
		if p.Path != "docs/library.md" {
			continue
		}
		for _, code := range p.Code {
			if !strings.Contains(flat(string(example)), flat(code)) {
				t.Errorf("ioodin/example_test.go does not have what %s shows:\n%s", p.Path, code)
			}
		}
	}
}

// TestChangelog: the newest section is that of the version at hand.
func TestChangelog(t *testing.T) {
	content, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := regexp.MustCompile(`(?m)^## \[(.+)\] - (?:unreleased|\d{4}-\d\d-\d\d)$`).FindStringSubmatch(string(content))
	if newest == nil || newest[1] != ascood.Version {
		t.Errorf("the newest section of CHANGELOG.md is %q, but the version is %s", newest, ascood.Version)
	}
}
