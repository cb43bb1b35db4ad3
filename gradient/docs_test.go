package gradient

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/onnx"
)

var update = flag.Bool("update", false, "write the tables of docs/onnx.md")

const page = "../docs/onnx.md"

// TestDocumentedOperators: the page lists the operators that have rules, and those
// through which no gradient goes.
func TestDocumentedOperators(t *testing.T) {
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := put(t, string(content), "(?s)\\|---\\|---\\|\n.*?\n\n", "|---|---|\n"+table()+"\n")
	want = put(t, want, "(?s)No gradient goes through.*?: their", "No gradient goes through"+stepsList()+": their")
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(content) {
		t.Errorf("%s does not list the operators as they are; go test ./gradient -run TestDocumentedOperators -update writes it:\n%s", page, want)
	}
}

// put puts a text in the place of one that matches a pattern, and must be there.
func put(t *testing.T, content, pattern, text string) string {
	t.Helper()
	at := regexp.MustCompile(pattern).FindStringIndex(content)
	if at == nil {
		t.Fatalf("%s has nothing that matches %q", page, pattern)
	}
	return content[:at[0]] + text + content[at[1]:]
}

func table() string {
	var rows strings.Builder
	for _, op := range slices.Sorted(maps.Keys(rules)) {
		variants := rules[op].variants
		if variants == "" {
			variants = "all"
		}
		fmt.Fprintf(&rows, "| `%s` | %s |\n", op, variants)
	}
	return rows.String()
}

func stepsList() string {
	list, width := "", len("No gradient goes through")
	for _, op := range steps {
		word := " `" + op + "`,"
		if width += len(word); width > 118 {
			word, width = "\n"+word[1:], len(word)
		}
		list += word
	}
	return list + "\nand `Cast` to integers and booleans"
}

// TestListsAreDisjoint: an operator has a rule, or no gradient goes through it, or it
// is refused; and the shapes of all that have rules are known.
func TestListsAreDisjoint(t *testing.T) {
	for op := range rules {
		if slices.Contains(steps, op) || refusals[op] != "" {
			t.Errorf("%s has a rule, and is in another list", op)
		}
		n := &onnx.NodeProto{Name: "node", OpType: op, Input: []string{"x"}, Output: []string{"y"}}
		if _, err := onnx.NewBuilder("test").Infer(n); err == nil || strings.Contains(err.Error(), "the shapes that") {
			t.Errorf("the shapes that %s makes are not known: %v", op, err)
		}
	}
	for _, op := range steps {
		if refusals[op] != "" {
			t.Errorf("%s ends the gradient, and is refused", op)
		}
	}
	if !slices.IsSorted(steps) {
		t.Error("the operators through which no gradient goes are not in order")
	}
}
