package metrics

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"
)

// Row is a line of a results table: an OOD set, or the mean over several.
type Row struct {
	Name string
	Metrics
	Skipped Skipped
}

// Skipped is how many images could not be loaded, and are not in a row.
type Skipped struct{ ID, OOD int }

// Names of the means over near and over far sets, which no set can have.
const (
	NearMean = "nearood"
	FarMean  = "farood"
)

// FarMeanWith is the name of the mean over the far sets and further ones.
func FarMeanWith(extra ...string) string {
	return strings.Join(append([]string{FarMean}, extra...), "+")
}

// Groups are the rows of OOD sets.
type Groups struct {
	Near, Far []Row
	FarExtra  []Row // far ones that a mean of their own takes in besides Far
	Further   []Row // in no mean
}

// Table lists the near sets, their mean as "nearood", the far sets, their mean as
// "farood", the extra far ones, the mean of all far ones under a name such as
// "farood+iSUN", and the further ones. A group without sets has no mean.
func (g Groups) Table() []Row {
	var extra []string
	for _, r := range g.FarExtra {
		extra = append(extra, r.Name)
	}
	var rows []Row
	for _, group := range []struct {
		name        string
		rows, after []Row // of the mean, after those that stand in the table already
	}{{NearMean, g.Near, nil}, {FarMean, g.Far, nil}, {FarMeanWith(extra...), g.FarExtra, g.Far}} {
		rows = append(rows, group.rows...)
		if len(group.rows) > 0 {
			rows = append(rows, mean(group.name, slices.Concat(group.after, group.rows)))
		}
	}
	return append(rows, g.Further...)
}

func mean(name string, rows []Row) Row {
	m := Row{Name: name}
	n := float64(len(rows))
	for _, r := range rows {
		m.FPR95 += r.FPR95 / n
		m.AUROC += r.AUROC / n
		m.AUPRIn += r.AUPRIn / n
		m.AUPROut += r.AUPROut / n
		m.ACC += r.ACC / n
		m.Skipped.ID, m.Skipped.OOD = r.Skipped.ID, m.Skipped.OOD+r.Skipped.OOD
	}
	return m
}

// Line is a row as it is shown: FPR@95, AUROC, AUPR_IN, AUPR_OUT and ACC, and, where
// images may be skipped, how many ID and OOD ones are.
type Line struct {
	Name  string
	Cells []string
}

var columns = []string{"FPR@95", "AUROC", "AUPR_IN", "AUPR_OUT", "ACC", "skipped_ID", "skipped_OOD"}

// Lines shows a table in percent, with counts of skipped images if wanted.
func Lines(rows []Row, counted bool) []Line {
	lines := make([]Line, len(rows))
	for i, r := range rows {
		lines[i].Name = r.Name
		for _, v := range r.values() {
			lines[i].Cells = append(lines[i].Cells, fmt.Sprintf("%.2f", 100*v))
		}
		if counted {
			lines[i].Cells = append(lines[i].Cells, r.Skipped.cells()...)
		}
	}
	return lines
}

func (s Skipped) cells() []string { return []string{strconv.Itoa(s.ID), strconv.Itoa(s.OOD)} }

// SpreadLines shows the tables of several runs, which have the same rows, as
// mean ± standard deviation (of the runs themselves, not estimated beyond them)
// in percent, with counts of skipped images, which are those of the first run, if
// wanted.
func SpreadLines(runs [][]Row, counted bool) []Line {
	lines := make([]Line, len(runs[0]))
	for i, r := range runs[0] {
		lines[i].Name = r.Name
		for k := range percents {
			var values []float64
			for _, rows := range runs {
				values = append(values, 100*rows[i].values()[k])
			}
			mean, std := Spread(values)
			lines[i].Cells = append(lines[i].Cells, fmt.Sprintf("%.2f ± %.2f", mean, std))
		}
		if counted {
			lines[i].Cells = append(lines[i].Cells, r.Skipped.cells()...)
		}
	}
	return lines
}

// Spread is the mean of several runs' values and the standard deviation of the runs
// themselves, not estimated beyond them, as OpenOOD has it.
func Spread(values []float64) (mean, std float64) { return stat.PopMeanStdDev(values, nil) }

// percents is how many columns are shares.
const percents = 5

func (m Metrics) values() [percents]float64 {
	return [percents]float64{m.FPR95, m.AUROC, m.AUPRIn, m.AUPROut, m.ACC}
}

// header names the columns that the lines have.
func header(lines []Line) []string {
	if len(lines) == 0 {
		return nil
	}
	return columns[:len(lines[0].Cells)]
}

// WriteTable prints lines, aligned for reading.
func WriteTable(w io.Writer, lines []Line) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\t%s\t\n", strings.Join(header(lines), "\t"))
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t\n", l.Name, strings.Join(l.Cells, "\t"))
	}
	return t.Flush()
}

// WriteCSV writes lines in OpenOOD's form.
func WriteCSV(w io.Writer, lines []Line) error {
	c := csv.NewWriter(w)
	c.Write(append([]string{""}, header(lines)...))
	for _, l := range lines {
		c.Write(append([]string{l.Name}, l.Cells...))
	}
	c.Flush()
	return c.Error()
}
