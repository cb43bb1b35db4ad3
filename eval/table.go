package eval

import (
	"encoding/csv"
	"fmt"
	"io"
	"text/tabwriter"
)

// Row is a line of a results table: an OOD set, or the mean over several.
type Row struct {
	Name string
	Metrics
}

// Table lists the near sets, their mean as "nearood", the far sets and their
// mean as "farood"; a group without sets has no mean.
func Table(near, far []Row) []Row {
	var rows []Row
	for _, group := range []struct {
		name string
		rows []Row
	}{{"nearood", near}, {"farood", far}} {
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

// WriteTable prints rows in percent, aligned for reading.
func WriteTable(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tFPR@95\tAUROC\tAUPR_IN\tAUPR_OUT\tACC\t")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", r.Name,
			100*r.FPR95, 100*r.AUROC, 100*r.AUPRIn, 100*r.AUPROut, 100*r.ACC)
	}
	return t.Flush()
}

// WriteCSV writes rows in percent, in OpenOOD's form.
func WriteCSV(w io.Writer, rows []Row) error {
	c := csv.NewWriter(w)
	c.Write([]string{"", "FPR@95", "AUROC", "AUPR_IN", "AUPR_OUT", "ACC"})
	for _, r := range rows {
		record := []string{r.Name}
		for _, v := range []float64{r.FPR95, r.AUROC, r.AUPRIn, r.AUPROut, r.ACC} {
			record = append(record, fmt.Sprintf("%.2f", 100*v))
		}
		c.Write(record)
	}
	c.Flush()
	return c.Error()
}
