package dataset

import (
	"bufio"
	"io"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
)

// OpenImglist reads a list in OpenOOD's format, a line "relative/path label" for
// each image under root. The label is the last field, so that paths may contain
// spaces, and -1 stands for no class. Paths that are absolute or lead out of
// root, lines without an integer label and a list without images are
// ascood.Invalid; the error names list and line. Whether the images exist shows
// when they are loaded.
func OpenImglist(list, root string) (Dataset, error) { return openImglist(list, root, nil) }

// openImglist is OpenImglist for lists that may have the names of classes as labels.
func openImglist(list, root string, classes []string) (Dataset, error) {
	f, err := os.Open(list)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	return readImglist(f, list, root, classes)
}

func readImglist(r io.Reader, list, root string, classes []string) (*files, error) {
	images := &files{root: root}
	for line, err := range imglistLines(r, numbered(classes)) {
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "%s:%d: %w", list, line.number, err)
		}
		images.add(line.name, line.label)
	}
	if images.Len() == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s: no images; want a line \"relative/path label\" for each", list)
	}
	return images, nil
}

// byteOrderMark is what some editors begin a text file with.
const byteOrderMark = "\ufeff"

// imglistLine is a line of a list; number counts from 1.
type imglistLine struct {
	number int
	name   string
	label  int
}

// numbered are the labels of classes by their names.
func numbered(classes []string) map[string]int {
	labels := map[string]int{}
	for label, name := range classes {
		labels[name] = label
	}
	return labels
}

// imglistLines yields the lines that are not empty, each with what is wrong
// about it. An error of reading comes with the line that could not be read, and
// last.
func imglistLines(r io.Reader, classes map[string]int) iter.Seq2[imglistLine, error] {
	return func(yield func(imglistLine, error) bool) {
		lines := bufio.NewScanner(r)
		number := 0
		for lines.Scan() {
			number++
			text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), byteOrderMark))
			if text == "" {
				continue
			}
			name, label, err := parseImglistLine(text, classes)
			if !yield(imglistLine{number, name, label}, err) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(imglistLine{number: number + 1}, err)
		}
	}
}

func parseImglistLine(line string, classes map[string]int) (name string, label int, err error) {
	space := strings.LastIndexAny(line, " \t")
	if space < 0 {
		return "", 0, ascood.Errorf(ascood.Invalid, "no label: want \"relative/path label\", got %q", line)
	}
	name, field := strings.TrimSpace(line[:space]), line[space+1:]
	label, err = strconv.Atoi(field)
	if err != nil {
		name, label, err = cutClass(line, field, classes)
	}
	switch {
	case err != nil:
		return "", 0, err
	case label < Unlabelled:
		return "", 0, ascood.Errorf(ascood.Invalid, "label %q: must be a class number, or -1 for none", field)
	}
	if path.IsAbs(name) || filepath.IsAbs(name) {
		return "", 0, ascood.Errorf(ascood.Invalid, "absolute path %q: must be relative to the data folder", name)
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", 0, ascood.Errorf(ascood.Invalid, "path %q leads out of the data folder", name)
	}
	return name, label, nil
}

// cutClass separates the name of a class, which may have spaces, from the path before
// it. Of two names that the line ends in, the longer one is meant.
func cutClass(line, field string, classes map[string]int) (name string, label int, err error) {
	for space := len(line); space > 0; space = strings.LastIndexAny(line[:space], " \t") {
		if found, ok := classes[strings.TrimSpace(line[space:])]; ok {
			name, label = strings.TrimSpace(line[:space]), found
		}
	}
	if name != "" {
		return name, label, nil
	}
	if len(classes) == 0 {
		return "", 0, ascood.Errorf(ascood.Invalid, "label %q: must be a class number, or -1 for none", field)
	}
	return "", 0, ascood.Errorf(ascood.Invalid, "label %q: must be a class number, -1 for none, or the name of one of the model's classes, which are %s",
		field, someOf(slices.Sorted(maps.Keys(classes))))
}
