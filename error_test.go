package ascood

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"slices"
	"strconv"
	"testing"
)

func TestCodeOf(t *testing.T) {
	inner := Errorf(TooLarge, "a file of %d bytes: %w", 9, io.ErrUnexpectedEOF)
	outer := fmt.Errorf("upload: %w", inner)
	if CodeOf(outer) != TooLarge || CodeOf(errors.New("x")) != Internal {
		t.Errorf("codes %s and %s", CodeOf(outer), CodeOf(errors.New("x")))
	}
	if inner.Error() != "a file of 9 bytes: unexpected EOF" || !errors.Is(outer, io.ErrUnexpectedEOF) {
		t.Errorf("error %q loses its cause", inner)
	}
	if code := CodeOf(nil); code != "" {
		t.Errorf("no error has code %q", code)
	}
}

// Codes lists the constants of type Code in the order of their declaration.
func TestCodesAreComplete(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "Code" {
			return true
		}
		for _, value := range spec.Values {
			text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, Code(text))
		}
		return true
	})
	if len(declared) == 0 || !slices.Equal(Codes(), declared) {
		t.Errorf("Codes lists %q, declared are %q", Codes(), declared)
	}
}
