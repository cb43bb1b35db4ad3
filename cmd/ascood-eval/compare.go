package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/presets"
)

// comparison is what is published of a preset and a network's training.
type comparison struct {
	preset, training string
	tables           []presets.Published // all that the preset has
	fullSpectrum     bool
}

// comparison returns what --compare asks for, nil without it.
func (f *flags) comparison(e *eval.Evaluation) (*comparison, error) {
	if !f.compare {
		return nil, nil
	}
	c := &comparison{preset: f.preset, training: presets.MethodCE, fullSpectrum: f.fullSpectrum}
	if e.Network.Info().Head == presets.MethodASCOOD { // the head is named after the method
		c.training = presets.MethodASCOOD
	}
	var err error
	c.tables, err = f.experiment.Published()
	return c, err
}

// write writes a method's table, with the published numbers under the rows that have
// some, and where they stand. On nil it writes the table alone.
func (c *comparison) write(w io.Writer, method string, lines []metrics.Line) error {
	if c == nil {
		return metrics.WriteTable(w, lines)
	}
	at := slices.IndexFunc(c.tables, func(t presets.Published) bool {
		return t.Method == c.training && t.Postprocessor == method && t.FullSpectrum == c.fullSpectrum
	})
	if at < 0 {
		return c.writeAlone(w, method, lines)
	}
	table := c.tables[at]
	if err := metrics.WriteTable(w, interleave(lines, table.Rows)); err != nil {
		return err
	}
	note := ""
	if table.Note != "" {
		note = "; " + table.Note
	}
	fmt.Fprintf(w, "Published: %v%s, %s\n", table, note, table.Source)
	return nil
}

// writeAlone writes a table to which there are no published numbers, and says what
// there is.
func (c *comparison) writeAlone(w io.Writer, method string, lines []metrics.Line) error {
	if err := metrics.WriteTable(w, lines); err != nil {
		return err
	}
	wanted := presets.Published{Method: c.training, Postprocessor: method, FullSpectrum: c.fullSpectrum}
	var known []string
	for _, t := range c.tables {
		known = append(known, t.String())
	}
	if known == nil {
		known = []string{"none"}
	}
	fmt.Fprintf(w, "Note: no published table of %v for %s is at hand; there are: %s.\n", wanted, c.preset, strings.Join(known, ", "))
	return nil
}

// interleave puts the published numbers under each line that has some.
func interleave(lines []metrics.Line, published [][6]string) []metrics.Line {
	var all []metrics.Line
	for _, l := range lines {
		all = append(all, l)
		for _, row := range published {
			if row[0] != l.Name {
				continue
			}
			cells := make([]string, len(l.Cells)) // counts of skipped images are not published
			copy(cells, row[1:])
			all = append(all, metrics.Line{Name: "published", Cells: cells})
		}
	}
	return all
}
