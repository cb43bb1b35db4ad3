package metrics

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"
)

// Row is a line of a results table: an OOD set, or the mean over several.
type Row struct {
	Name string
	Metrics
}

// Names of the means over near and over far sets, which no set can have.
const (
	NearMean = "nearood"
	FarMean  = "farood"
)

// Table lists the near sets, their mean as "nearood", the far sets and their
// mean as "farood"; a group without sets has no mean.
func Table(near, far []Row) []Row {
	var rows []Row
	for _, group := range []struct {
		name string
		rows []Row
	}{{NearMean, near}, {FarMean, far}} {
		rows = append(rows, group.rows...)
		if len(group.rows) > 0 {
			rows = append(rows, Row{group.name, mean(group.rows)})
		}
	}
	return rows
}

func mean(rows []Row) Metrics {
	var m Metrics
	n := float64(len(rows))
	for _, r := range rows {
		m.FPR95 += r.FPR95 / n
		m.AUROC += r.AUROC / n
		m.AUPRIn += r.AUPRIn / n
		m.AUPROut += r.AUPROut / n
		m.ACC += r.ACC / n
	}
	return m
}

// Line is a row as it is shown: FPR@95, AUROC, AUPR_IN, AUPR_OUT and ACC.
type Line struct {
	Name  string
	Cells [5]string
}

var columns = []string{"FPR@95", "AUROC", "AUPR_IN", "AUPR_OUT", "ACC"}

// Lines shows a table in percent.
func Lines(rows []Row) []Line {
	lines := make([]Line, len(rows))
	for i, r := range rows {
		lines[i].Name = r.Name
		for k, v := range r.values() {
			lines[i].Cells[k] = fmt.Sprintf("%.2f", 100*v)
		}
	}
	return lines
}

// SpreadLines shows the tables of several runs, which have the same rows, as
// mean ± standard deviation (of the runs themselves, not estimated beyond them)
// in percent.
func SpreadLines(runs [][]Row) []Line {
	lines := make([]Line, len(runs[0]))
	for i, r := range runs[0] {
		lines[i].Name = r.Name
		for k := range columns {
			var values []float64
			for _, rows := range runs {
				values = append(values, 100*rows[i].values()[k])
			}
			mean, std := stat.PopMeanStdDev(values, nil)
			lines[i].Cells[k] = fmt.Sprintf("%.2f ± %.2f", mean, std)
		}
	}
	return lines
}

func (m Metrics) values() [5]float64 {
	return [5]float64{m.FPR95, m.AUROC, m.AUPRIn, m.AUPROut, m.ACC}
}

// WriteTable prints lines, aligned for reading.
func WriteTable(w io.Writer, lines []Line) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\t%s\t\n", strings.Join(columns, "\t"))
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t\n", l.Name, strings.Join(l.Cells[:], "\t"))
	}
	return t.Flush()
}

// WriteCSV writes lines in OpenOOD's form.
func WriteCSV(w io.Writer, lines []Line) error {
	c := csv.NewWriter(w)
	c.Write(append([]string{""}, columns...))
	for _, l := range lines {
		c.Write(append([]string{l.Name}, l.Cells[:]...))
	}
	c.Flush()
	return c.Error()
}
