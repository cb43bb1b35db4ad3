package study

import (
	"fmt"
	"math"
	"slices"

	"github.com/ascood/ascood/metrics"
)

// Columns of a data entry that are no sets.
const (
	nearColumn   = "near"
	farColumn    = "far"
	farAllColumn = "far_all" // with the further sets of presets, such as iSUN
)

// table is the study's, ready to be written in any form.
type table struct {
	title   string
	notes   []string
	columns []column
	rows    []row
}

// column is a metric of a set, or of a mean over sets, of a data entry.
type column struct {
	data, set string // set is as the plan has it, "" for ACC, which is of no set
	metric    string
}

// row is a network, trained by a method and judged by a score.
type row struct {
	network, method, score string
	cells                  []cell
}

// cell is what the seeds come to.
type cell struct {
	values    []float64 // in percent, of the seeds that are done
	want      int       // seeds that there are to be; 0 where the row has no such cell
	mean, std float64
	rank      int // 1 is the best of its column, 2 the second; 0 is any other
}

// complete reports whether all seeds are done.
func (c cell) complete() bool { return c.want > 0 && len(c.values) == c.want }

// text is the cell for people.
func (c cell) text() string {
	switch {
	case c.want == 0:
		return ""
	case len(c.values) == 0:
		return "–"
	case !c.complete():
		return fmt.Sprintf("%.2f ± %.2f (%d of %d)", c.mean, c.std, len(c.values), c.want)
	}
	return fmt.Sprintf("%.2f ± %.2f", c.mean, c.std)
}

// better is the sign of what is good of a metric.
func better(metric string) float64 {
	if metric == metricNames[0] {
		return -1
	}
	return 1
}

// valueOf is a metric of a row, in percent.
func valueOf(r metrics.Row, metric string) float64 {
	switch metric {
	case "FPR@95":
		return 100 * r.FPR95
	case "AUROC":
		return 100 * r.AUROC
	case "AUPR_IN":
		return 100 * r.AUPRIn
	case "AUPR_OUT":
		return 100 * r.AUPROut
	}
	return 100 * r.ACC
}

// columnsOf are the table's columns.
func (s *Study) columns() (all []column) {
	wanted, names := s.plan.Table.Columns, s.plan.Table.Metrics
	if len(wanted) == 0 {
		wanted = []string{nearColumn, farColumn}
	}
	if len(names) == 0 {
		names = metricNames[:2]
	}
	for _, d := range s.plan.Data {
		for _, set := range wanted {
			if s.x.sources[d.Name].rowName(set) == "" {
				continue
			}
			for _, metric := range names {
				if metric != "ACC" {
					all = append(all, column{d.Name, set, metric})
				}
			}
		}
		if slices.Contains(names, "ACC") {
			all = append(all, column{d.Name, "", "ACC"})
		}
	}
	return all
}

// rowName is the row of a results table that a column stands for, "" if the data has none.
func (s *source) rowName(set string) string {
	var extra []string
	for _, n := range s.farExtra {
		extra = append(extra, n.name)
	}
	switch {
	case set == nearColumn && len(s.near) > 0:
		return metrics.NearMean
	case set == farColumn && len(s.far) > 0, set == farAllColumn && len(s.far) > 0 && len(extra) == 0:
		return metrics.FarMean
	case set == farAllColumn && len(extra) > 0:
		return metrics.FarMeanWith(extra...)
	case slices.ContainsFunc(s.ood(), func(n namedImages) bool { return n.name == set }):
		return set
	case set == "": // the accuracy is in any
		return s.ood()[0].name
	}
	return ""
}

// table computes the study's table from the parts that are done.
func (s *Study) table() (*table, error) {
	t := &table{title: s.plan.Title, notes: s.plan.Notes, columns: s.columns()}
	for _, n := range s.plan.networks() {
		for _, m := range s.plan.Methods {
			for _, score := range s.plan.scores(m) {
				r := row{network: n.Name, method: m.Name, score: score}
				for _, c := range t.columns {
					found, err := s.cell(c, n.Name, m, score)
					if err != nil {
						return nil, err
					}
					r.cells = append(r.cells, found)
				}
				t.rows = append(t.rows, r)
			}
		}
	}
	for k := range t.columns {
		t.rank(k)
	}
	return t, nil
}

// cell gathers what the seeds come to.
func (s *Study) cell(of column, network string, m Method, score string) (c cell, err error) {
	if !m.on(of.data) {
		return c, nil
	}
	c.want = len(s.plan.Seeds)
	from := s.x.sources[of.data]
	own, err := from.resolved(score)
	if err != nil {
		return c, err
	}
	for _, seed := range s.plan.Seeds {
		p := s.x.evaluated[run{combination{network, of.data, m.Name}, seed}]
		if p == nil || !s.isDone(p) {
			continue
		}
		r, err := s.results(p)
		if err != nil {
			return c, err
		}
		if found, ok := r.row(own, from.rowName(of.set)); ok {
			c.values = append(c.values, valueOf(found, of.metric))
		}
	}
	if len(c.values) > 0 {
		c.mean, c.std = metrics.Spread(c.values)
	}
	return c, nil
}

// rank marks the best and the second of a column, as they are shown: equal ones share a
// rank, and incomplete ones have none.
func (t *table) rank(k int) {
	shown := func(c cell) float64 { return math.Round(100*c.mean) * better(t.columns[k].metric) }
	var values []float64
	for _, r := range t.rows {
		if r.cells[k].complete() {
			values = append(values, shown(r.cells[k]))
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	slices.Reverse(values)
	for i := range t.rows {
		if c := &t.rows[i].cells[k]; c.complete() && len(t.rows) > 1 {
			if at := slices.Index(values, shown(*c)); at < 2 {
				c.rank = at + 1
			}
		}
	}
}

// networks reports whether there are several, so that rows must tell them.
func (t *table) networks() bool {
	return slices.ContainsFunc(t.rows, func(r row) bool { return r.network != t.rows[0].network })
}
