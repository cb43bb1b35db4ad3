// Package check holds the reports of programs that check a machine: facts,
// measurements and the limits that these must keep, as a table or as JSON.
package check

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/ascood/ascood"
)

// Report is what a check found, in sections.
type Report struct{ Sections []*Section }

// Section is the part of a report on one subject.
type Section struct {
	Name  string
	Lines []Line
}

// Line is one thing that was found or measured.
type Line struct {
	Name   string
	Value  string // as the table shows it
	Want   string // what it should be; "" if anything is right
	Fault  string // what is wrong with it, where no limit says so
	Failed bool   // it is not what it should be

	number any // for JSON: the float64, or the text of a fact
}

// Section begins one of the given name.
func (r *Report) Section(name string) *Section {
	s := &Section{Name: name}
	r.Sections = append(r.Sections, s)
	return s
}

// Fact tells something that cannot be wrong.
func (s *Section) Fact(name, value string) { s.add(Line{Name: name, Value: value, number: value}) }

// Fault tells something that is wrong, in a sentence.
func (s *Section) Fault(name, value, fault string) {
	s.add(Line{Name: name, Value: value, Fault: fault, Failed: true, number: value})
}

// Number tells a measurement that has no limit; the unit may be "".
func (s *Section) Number(name string, value float64, unit string) {
	s.add(Line{Name: name, Value: strings.TrimSuffix(short(value)+" "+unit, " "), number: value})
}

// AtMost tells a measurement that must not exceed a limit. NaN does.
func (s *Section) AtMost(name string, value, limit float64) {
	s.add(Line{Name: name, Value: short(value), Want: "at most " + short(limit), Failed: !(value <= limit), number: value})
}

// AtLeast tells a measurement that must reach a limit. NaN does not.
func (s *Section) AtLeast(name string, value, limit float64) {
	s.add(Line{Name: name, Value: short(value), Want: "at least " + short(limit), Failed: !(value >= limit), number: value})
}

func (s *Section) add(l Line) { s.Lines = append(s.Lines, l) }

func short(v float64) string {
	if v >= 1000 && v < 1e6 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// failures lists the lines that failed, each with its section.
func (r *Report) failures() []string {
	var failed []string
	for _, s := range r.Sections {
		for _, l := range s.Lines {
			switch {
			case l.Fault != "":
				failed = append(failed, s.Name+": "+l.Fault)
			case l.Failed:
				failed = append(failed, fmt.Sprintf("%s: %s: %s, want %s", s.Name, l.Name, l.Value, l.Want))
			}
		}
	}
	return failed
}

// Err is nil if every line is as it should be, and otherwise counts those that are
// not.
func (r *Report) Err() error {
	if n := len(r.failures()); n > 0 {
		return ascood.Errorf(ascood.Unavailable, "the check failed in %d of its lines", n)
	}
	return nil
}

// Print writes the report, as a table or as JSON, and returns Err's error.
func (r *Report) Print(w io.Writer, asJSON bool) error {
	write := r.WriteText
	if asJSON {
		write = r.WriteJSON
	}
	if err := write(w); err != nil {
		return err
	}
	return r.Err()
}

// WriteText writes the sections as tables, then PASS or the lines that failed.
func (r *Report) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range r.Sections {
		fmt.Fprintln(table, s.Name)
		for _, l := range s.Lines {
			fmt.Fprintf(table, "  %s\t%s\t%s\n", l.Name, l.Value, l.verdict())
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	result := "PASS\n"
	if failed := r.failures(); len(failed) > 0 {
		result = "FAIL\n  " + strings.Join(failed, "\n  ") + "\n"
	}
	_, err := io.WriteString(w, result)
	return err
}

// verdict is the last column.
func (l Line) verdict() string {
	switch {
	case l.Fault != "":
		return "FAILED"
	case l.Want == "":
		return ""
	case l.Failed:
		return l.Want + ": FAILED"
	}
	return l.Want + ": ok"
}

// WriteJSON writes the report as an object.
func (r *Report) WriteJSON(w io.Writer) error {
	type line struct {
		Name   string `json:"name"`
		Value  any    `json:"value"` // a number in full, or text
		Want   string `json:"want,omitempty"`
		Fault  string `json:"fault,omitempty"`
		Failed bool   `json:"failed,omitempty"`
	}
	type section struct {
		Name  string `json:"name"`
		Lines []line `json:"lines"`
	}
	out := struct {
		Passed   bool      `json:"passed"`
		Sections []section `json:"sections"`
	}{Passed: r.Err() == nil}
	for _, s := range r.Sections {
		part := section{Name: s.Name, Lines: []line{}}
		for _, l := range s.Lines {
			if v, ok := l.number.(float64); ok && (math.IsNaN(v) || math.IsInf(v, 0)) {
				l.number = l.Value // JSON has no such number
			}
			part.Lines = append(part.Lines, line{l.Name, l.number, l.Want, l.Fault, l.Failed})
		}
		out.Sections = append(out.Sections, part)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
