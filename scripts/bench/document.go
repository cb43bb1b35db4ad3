package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// document is what is printed.
type document struct {
	about    []fact
	sections []filled
	history  []string // lines of runs; none of a run that is not whole
}

// filled is a section with what was measured.
type filled struct {
	section
	results []result
}

// column of a table: values of a unit.
type column struct {
	unit, head string
	scale      float64 // 0 is 1
}

// table shows what some benchmarks have measured, a line each.
type table struct {
	rows    string   // what the lines are
	bench   []string // names of benchmarks
	columns []column
}

func (d document) String() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\nWritten by `make bench`; not edited by hand. [docs/performance.md](docs/performance.md) says what the figures come from.\n\n")
	for _, f := range d.about {
		fmt.Fprintf(&b, "- %s: %s\n", f.name, f.value)
	}
	for _, s := range d.sections {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", s.title, s.text)
		for _, t := range s.tables {
			b.WriteString(t.String(s.results))
		}
	}
	if len(d.history) > 0 {
		fmt.Fprintf(&b, "\n## History\n\n%s\n\n%s%s\n", historyText, historyHead(), strings.Join(d.history, "\n"))
	}
	return b.String()
}

// String is the table as Markdown, "" without lines. A column that no line has is left out.
func (t table) String(results []result) string {
	var lines []result
	for _, r := range results {
		if slices.Contains(t.bench, r.bench) && slices.ContainsFunc(t.columns, func(c column) bool { return r.has(c.unit) }) {
			lines = append(lines, r)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	columns := slices.DeleteFunc(slices.Clone(t.columns), func(c column) bool {
		return !slices.ContainsFunc(lines, func(r result) bool { return r.has(c.unit) })
	})
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %s |", t.rows)
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.head)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(columns)) + "\n")
	for _, r := range lines {
		fmt.Fprintf(&b, "| %s |", strings.NewReplacer("/", ", ", "_", " ", "=", " ").Replace(r.label()))
		for _, c := range columns {
			b.WriteString(" " + r.cell(c) + " |")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (r result) has(unit string) bool {
	_, ok := r.values[unit]
	return ok
}

// label is the benchmark's own name where it has no further one.
func (r result) label() string {
	if r.name == "" {
		return strings.TrimPrefix(r.bench, "Benchmark")
	}
	return r.name
}

func (r result) cell(c column) string {
	v, ok := r.values[c.unit]
	if !ok {
		return ""
	}
	if c.scale != 0 {
		v *= c.scale
	}
	return number(v)
}

// number writes three significant digits, and no exponent.
func number(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	return fmt.Sprintf("%.*f", digits, v)
}

// figure is a column of the history.
type figure struct {
	head, bench, name, unit string
}

const historyText = "One line a run. Scores are of one thread, in forward passes; PyTorch's are its expert's time over ours."

var figures = []figure{
	{"i-ODIN, 32x32, 1", "BenchmarkScoring", "batch=1/resnet18_32x32/threads=1", "iodin/forward"},
	{"i-ODIN, 32x32, 16", "BenchmarkScoring", "batch=16/resnet18_32x32/threads=1", "iodin/forward"},
	{"i-ODIN, 224x224, 1", "BenchmarkScoring", "batch=1/resnet18_224x224/threads=1", "iodin/forward"},
	{"first order, 224x224, 1", "BenchmarkScoring", "batch=1/resnet18_224x224/threads=1", "iodin_fast/forward"},
	{"PyTorch's i-ODIN, 32x32, 16", "BenchmarkScoring", "batch=16/resnet18_32x32/threads=1", "expert/iodin"},
	{"PyTorch's i-ODIN, 224x224, 1", "BenchmarkScoring", "batch=1/resnet18_224x224/threads=1", "expert/iodin"},
	{"PyTorch's step, width 16", "BenchmarkStepBesidePyTorch", "resnet18_32x32/width=16/expert/threads=2", "x-torch"},
	{"PyTorch's step, width 64", "BenchmarkStepBesidePyTorch", "resnet18_32x32/width=64/expert/threads=2", "x-torch"},
	{"server, images/s", "BenchmarkServer", "clients=8", "images/s"},
}

func historyHead() string {
	var b strings.Builder
	b.WriteString("| date | version | processor |")
	for _, f := range figures {
		fmt.Fprintf(&b, " %s |", f.head)
	}
	b.WriteString("\n|---|---|---|" + strings.Repeat("---:|", len(figures)) + "\n")
	return b.String()
}

// line is this run's line of the history.
func (d document) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | %s | %s |", time.Now().UTC().Format(time.DateOnly), d.fact("ascood"), d.fact("processor"))
	for _, f := range figures {
		b.WriteString(" " + d.find(f) + " |")
	}
	return b.String()
}

func (d document) fact(name string) string {
	for _, f := range d.about {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

func (d document) find(f figure) string {
	for _, s := range d.sections {
		for _, r := range s.results {
			if r.bench == f.bench && r.name == f.name {
				return r.cell(column{unit: f.unit})
			}
		}
	}
	return ""
}

// history returns the lines of former runs, in a document of the same columns.
func history(former string) []string {
	_, table, ok := strings.Cut(former, historyHead())
	if !ok {
		return nil
	}
	return strings.Split(strings.TrimSpace(table), "\n")
}
