package dataset

import (
	"os"
	"strings"

	"github.com/ascood/ascood"
)

// ReadClasses reads class names from a file, one a line, in the order of the
// labels. An empty name, one that comes twice and an empty file are errors.
func ReadClasses(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "class names: %w", err)
	}
	var names []string
	line := map[string]int{}
	for name := range strings.Lines(strings.TrimRight(strings.TrimPrefix(string(text), byteOrderMark), "\r\n")) {
		name = strings.TrimSpace(name)
		names = append(names, name)
		switch first, twice := line[name]; {
		case name == "":
			return nil, ascood.Errorf(ascood.Invalid, "%s:%d: an empty line; want a class name on each", path, len(names))
		case twice:
			return nil, ascood.Errorf(ascood.Invalid, "%s:%d: class %q is on line %d already", path, len(names), name, first)
		}
		line[name] = len(names)
	}
	if len(names) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s: no class names; want one a line", path)
	}
	return names, nil
}
