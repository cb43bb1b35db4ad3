// Package clitest checks what commands promise, for their tests.
package clitest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
)

// CheckFields makes sure that the command in the current folder has a flag for each
// setting that the errors of its packages speak of, but for those that it does not
// let the user choose.
func CheckFields(t *testing.T, fs *pflag.FlagSet, names cli.FlagNames, unchosen ...ascood.Field) {
	t.Helper()
	used := fields(t)
	if len(used) == 0 {
		t.Fatal("no settings found in the sources")
	}
	for _, f := range used {
		switch flag := names.Flag(fs, f); {
		case flag == "" && !slices.Contains(unchosen, f):
			t.Errorf("errors speak of the setting %s, for which there is no flag", f)
		case flag != "" && slices.Contains(unchosen, f):
			t.Errorf("the setting %s has the flag --%s after all", f, flag)
		}
	}
	for _, f := range unchosen {
		if !slices.Contains(used, f) {
			t.Errorf("no error speaks of the setting %s any more", f)
		}
	}
	for f, flag := range names {
		if fs.Lookup(flag) == nil {
			t.Errorf("the setting %s is said to be --%s, which does not exist", f, flag)
		}
	}
}

// fields returns the constants of type ascood.Field in the packages of the module
// that the current folder's depends on.
func fields(t *testing.T) []ascood.Field {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}{{end}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := map[ascood.Field]bool{}
	for _, path := range strings.Fields(string(out)) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Clean(path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if name := literal(call); name != "" {
					found[ascood.Field(name)] = true
				}
			}
			return true
		})
	}
	var all []ascood.Field
	for f := range found {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

// literal returns the text of ascood.Field("text") and of ascood.In("text", …), ""
// of any other call.
func literal(call *ast.CallExpr) string {
	of, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	from, ok := of.X.(*ast.Ident)
	if !ok || from.Name != "ascood" || of.Sel.Name != "Field" && of.Sel.Name != "In" {
		return ""
	}
	text, ok := call.Args[0].(*ast.BasicLit)
	if !ok {
		return ""
	}
	name, err := strconv.Unquote(text.Value)
	if err != nil {
		return ""
	}
	return name
}
