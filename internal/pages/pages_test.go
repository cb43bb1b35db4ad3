package pages

import (
	"reflect"
	"testing"
)

func TestParse(t *testing.T) {
	p := parse("# The `one` page, again\n\nSee [two](docs/two.md#x) and `prog --a\nb`:\n\n    bin/prog --c d \\\n        -e\n    other\n\n```go\nx := `raw`\n```\nend\n")
	for what, c := range map[string]struct{ got, want any }{
		"code":     {p.Code, []string{"bin/prog --c d \\\n    -e\nother", "x := `raw`"}},
		"spans":    {p.Spans(), []string{"one", "prog --a b"}},
		"links":    {p.Links(), []string{"docs/two.md#x"}},
		"anchors":  {p.Anchors(), []string{"the-one-page-again"}},
		"commands": {p.Commands("prog"), [][]string{{"bin/prog", "--c", "d", "-e"}, {"prog", "--a", "b"}}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %q, want %q", what, c.got, c.want)
		}
	}
}
