package dataset

import (
	"bufio"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
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
func OpenImglist(list, root string) (Dataset, error) {
	f, err := os.Open(list)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	return readImglist(f, list, root)
}

func readImglist(r io.Reader, list, root string) (*files, error) {
	images := &files{root: root}
	for line, err := range imglistLines(r) {
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

// imglistLines yields the lines that are not empty, each with what is wrong
// about it. An error of reading comes with the line that could not be read, and
// last.
func imglistLines(r io.Reader) iter.Seq2[imglistLine, error] {
	return func(yield func(imglistLine, error) bool) {
		lines := bufio.NewScanner(r)
		number := 0
		for lines.Scan() {
			number++
			text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), byteOrderMark))
			if text == "" {
				continue
			}
			name, label, err := parseImglistLine(text)
			if !yield(imglistLine{number, name, label}, err) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(imglistLine{number: number + 1}, err)
		}
	}
}

func parseImglistLine(line string) (name string, label int, err error) {
	space := strings.LastIndexAny(line, " \t")
	if space < 0 {
		return "", 0, ascood.Errorf(ascood.Invalid, "no label: want \"relative/path label\", got %q", line)
	}
	name, field := strings.TrimSpace(line[:space]), line[space+1:]
	label, err = strconv.Atoi(field)
	if err != nil || label < Unlabelled {
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
