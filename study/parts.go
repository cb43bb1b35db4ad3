package study

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ascood/ascood"
)

// partsFile lists all parts, for people, and for the next run to tell what has changed.
const partsFile = "parts.csv"

var partColumns = []string{"part", "state", "seconds", "folder", "digest"}

// States of a part in partsFile.
const (
	stateDone   = "done"
	stateFailed = "failed"
	stateToDo   = "to do"
)

// record is a line of partsFile.
type record struct{ name, state, seconds, folder, digest string }

// readParts reads the parts of the study's last run, none before the first.
func (s *Study) readParts() ([]record, error) {
	f, err := os.Open(filepath.Join(s.opt.Folder, partsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = len(partColumns)
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 || rows[0][0] != partColumns[0] {
		return nil, ascood.Errorf(ascood.Invalid, "%s is not a list of parts of this program: move it away", f.Name())
	}
	var records []record
	for _, row := range rows[1:] {
		records = append(records, record{row[0], row[1], row[2], row[3], row[4]})
	}
	return records, nil
}

// writeParts writes them as they are now.
func (s *Study) writeParts() error {
	return s.write(partsFile, func(w io.Writer) error {
		c := csv.NewWriter(w)
		c.Write(partColumns)
		for _, p := range s.x.parts {
			r := record{name: p.Name(), state: stateToDo, digest: p.Digest}
			r.folder, _ = filepath.Rel(s.opt.Folder, p.folder)
			d, _ := p.done()
			switch {
			case d.Digest == p.Digest:
				r.state, r.seconds = stateDone, strconv.FormatFloat(d.Seconds, 'f', 1, 64)
			case s.failed[p.Digest] != nil:
				r.state = stateFailed
			}
			c.Write([]string{r.name, r.state, r.seconds, r.folder, r.digest})
		}
		c.Flush()
		return c.Error()
	})
}

// List prints the parts of a plan and how long each takes, without doing any.
func (s *Study) List(w io.Writer) error {
	s.x.expand()
	if err := s.conclude(); err != nil {
		return err
	}
	t := s.timesOf()
	var todo []*Part
	for _, p := range s.x.parts {
		if d, ok := p.done(); ok && d.Digest == p.Digest {
			fmt.Fprintf(w, "done   %8v  %s\n", seconds(d.Seconds), p.Name())
			continue
		}
		todo = append(todo, p)
		e := t.of(p)
		text := "?"
		if e.unknown == 0 {
			text = seconds(e.seconds).String()
		}
		if e.borrowed > 0 {
			text = "~" + text
		}
		fmt.Fprintf(w, "to do  %8s  %s\n", text, p.Name())
	}
	for _, of := range s.x.open {
		fmt.Fprintf(w, "later            %s: its %s, once the search of its settings has ended\n", of, count(len(s.plan.Seeds), "run"))
	}
	fmt.Fprintf(w, "%s: %d done, %d to do in %v\n", count(len(s.x.parts), "part"), len(s.x.parts)-len(todo), len(todo), t.total(todo, s.opt.Jobs))
	return nil
}
