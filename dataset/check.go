package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ascood/ascood"
)

// ListCheck is what CheckImglist found in a list.
type ListCheck struct {
	Sound   int      // lines whose image is there
	Faults  int      // lines that are broken or whose image is missing
	Missing int      // of these, those whose image is missing
	First   []string // the first few of these, "train.txt:17: …"
}

// CheckImglist reads a list as OpenImglist does, goes on past broken lines, and
// looks for every image under root, without opening it. Labels must be below
// classes, unless that is 0. The error is about the list itself: it is missing,
// cannot be read or has no lines.
func CheckImglist(list, root string, classes int) (ListCheck, error) {
	var check ListCheck
	f, err := os.Open(list)
	if err != nil {
		return check, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	present := folders{}
	for line, err := range imglistLines(f, nil) {
		if err == nil {
			err = check.line(line, root, classes, present)
		}
		if err != nil {
			check.fault(fmt.Sprintf("%s:%d: %v", filepath.Base(list), line.number, err))
			continue
		}
		check.Sound++
	}
	if check.Sound+check.Faults == 0 {
		return check, ascood.Errorf(ascood.Invalid, "%s: no images; want a line \"relative/path label\" for each", list)
	}
	return check, nil
}

func (c *ListCheck) fault(text string) {
	const most = 3
	if c.Faults++; len(c.First) < most {
		c.First = append(c.First, text)
	}
}

// line checks a line that could be read.
func (c *ListCheck) line(line imglistLine, root string, classes int, present folders) error {
	if classes > 0 && (line.label < 0 || line.label >= classes) {
		return ascood.Errorf(ascood.Invalid, "label %d: there are %d classes, 0 to %d", line.label, classes, classes-1)
	}
	file := filepath.Join(root, filepath.FromSlash(line.name))
	there, err := present.have(file)
	if err == nil && !there {
		c.Missing++
		err = ascood.Errorf(ascood.Invalid, "%s is missing%s", path.Clean(line.name), slashes(line.name))
	}
	return err
}

// CheckFiles looks for the file of every image of a dataset, without opening it, and
// names those that are missing. Images that are in no files of their own pass.
func CheckFiles(d Dataset) error {
	present := folders{}
	var missing []int
	for i := range d.Len() {
		file := fileOf(d, i)
		if file == "" {
			continue
		}
		there, err := present.have(file)
		if err != nil {
			return ascood.Errorf(ascood.Invalid, "%w", err)
		}
		if !there {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	first := missing[0]
	if len(missing) == 1 {
		return ascood.Errorf(ascood.Invalid, "%s is missing, image %d of %d%s", fileOf(d, first), first+1, d.Len(), slashes(d.Name(first)))
	}
	return ascood.Errorf(ascood.Invalid, "%d of %d images are missing%s\n%s", len(missing), d.Len(), slashes(d.Name(first)),
		someLines(len(missing), func(i int) string { return fmt.Sprintf("%s, image %d", fileOf(d, missing[i]), missing[i]+1) }))
}

// slashes is what there is to say of a path that is written as on Windows.
func slashes(name string) string {
	if strings.Contains(name, `\`) {
		return `: image lists use / between folders, not \`
	}
	return ""
}

// folders holds the names in the folders that were looked into. A list of a
// million images has a thousand folders, and asking for each file takes minutes
// on a network drive.
type folders map[string]map[string]bool

// have reports whether a file is there.
func (f folders) have(file string) (bool, error) {
	dir := filepath.Dir(file)
	names, ok := f[dir]
	if !ok {
		names = map[string]bool{}
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		for _, entry := range entries {
			names[entry.Name()] = true
		}
		f[dir] = names
	}
	return names[filepath.Base(file)], nil
}
