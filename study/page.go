package study

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/ascood/ascood/metrics"
)

// Sizes of the charts' coordinates.
const (
	chartWidth  = 300
	chartHeight = 220
)

// view is what the page shows.
type view struct {
	Title    string
	Notes    []string
	Legend   string
	Head     []string
	Groups   []headGroup // of the columns, by data
	Columns  []column
	Rows     []viewRow
	Charts   []chartGroup
	Searched []searched
	Failed   []string
	Left     int // parts that are not done
	Width    int
	Height   int
}

type headGroup struct {
	Name  string
	Width int
}

type viewRow struct {
	Left  []string
	Cells []viewCell
}

type viewCell struct {
	Text string
	Rank int
}

// chartGroup is the charts of a score on some data.
type chartGroup struct {
	Name   string
	Charts []viewChart
}

// viewChart has the ROC curve of each method on an OOD set, of the first seed.
type viewChart struct {
	Set    string
	Curves []viewCurve
}

type viewCurve struct {
	Method, Points, Colour string
	AUROC                  float64 // in percent
}

// colours tell curves apart, also for those who do not tell red from green (Okabe and Ito).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d1f", "#7f7f7f"}

//go:embed page.html
var pageSource string

var pageLayout = template.Must(template.New("page").Parse(pageSource))

// page writes the study as a web page that needs nothing else.
func (s *Study) page(w io.Writer, t *table) error {
	v := view{Title: t.title, Notes: t.notes, Legend: legend, Head: t.head(), Columns: t.columns, Width: chartWidth, Height: chartHeight, Left: s.left()}
	for _, c := range t.columns {
		if n := len(v.Groups); n == 0 || v.Groups[n-1].Name != c.data {
			v.Groups = append(v.Groups, headGroup{Name: c.data})
		}
		v.Groups[len(v.Groups)-1].Width++
	}
	for _, r := range t.rows {
		row := viewRow{Left: t.left(r)}
		for _, c := range r.cells {
			row.Cells = append(row.Cells, viewCell{c.text(), c.rank})
		}
		v.Rows = append(v.Rows, row)
	}
	for _, p := range s.x.parts {
		if err := s.failed[p.Digest]; err != nil {
			v.Failed = append(v.Failed, fmt.Sprintf("%s: %v", p.Name(), err))
		}
	}
	var err error
	if v.Searched, err = s.searched(); err != nil {
		return err
	}
	if v.Charts, err = s.charts(); err != nil {
		return err
	}
	return pageLayout.Execute(w, v)
}

// charts are those of each network, data and score.
func (s *Study) charts() (all []chartGroup, err error) {
	for _, n := range s.plan.networks() {
		for _, d := range s.plan.Data {
			for _, score := range s.scoresOn(d.Name) {
				g := chartGroup{Name: strings.TrimPrefix(n.Name+", ", ", ") + d.Name + ", " + score}
				for _, set := range s.x.sources[d.Name].ood() {
					c, err := s.chart(n.Name, d.Name, score, set.name)
					if err != nil {
						return nil, err
					}
					if len(c.Curves) > 0 {
						g.Charts = append(g.Charts, c)
					}
				}
				if len(g.Charts) > 0 {
					all = append(all, g)
				}
			}
		}
	}
	return all, nil
}

// scoresOn are all scores, by their own names, of the methods for some data.
func (s *Study) scoresOn(data string) (all []string) {
	for _, p := range s.x.parts {
		if p.Kind != Evaluate || p.Data != data {
			continue
		}
		for _, score := range p.scores {
			if !slices.Contains(all, score) {
				all = append(all, score)
			}
		}
	}
	return all
}

func (s *Study) chart(network, data, score, set string) (viewChart, error) {
	c := viewChart{Set: set}
	for i, m := range s.plan.Methods {
		p := s.x.evaluated[run{combination{network, data, m.Name}, s.plan.Seeds[0]}]
		if p == nil || !s.isDone(p) || !slices.Contains(p.scores, score) {
			continue
		}
		r, err := s.results(p)
		if err != nil {
			return c, err
		}
		row, _ := r.row(score, set)
		c.Curves = append(c.Curves, viewCurve{m.Name, points(r.curve(score, set)), colours[i%len(colours)], 100 * row.AUROC})
	}
	return c, nil
}

// curve is a score's ROC curve on a set.
func (r *results) curve(score, set string) []metrics.Operation {
	for _, s := range r.Scores {
		if s.Score == score {
			return s.Curves[set]
		}
	}
	return nil
}

// points are a curve as those of a polyline: ID rejected to the right, OOD caught upwards.
func points(curve []metrics.Operation) string {
	words := make([]string, len(curve))
	for i, o := range curve {
		words[i] = fmt.Sprintf("%.1f,%.1f", chartWidth*o.Rejected, chartHeight*(1-o.Caught))
	}
	return strings.Join(words, " ")
}

// Text is the column's head below that of the data.
func (c column) Text() string { return strings.TrimPrefix(c.text(), c.data+" ") }

// String is for people.
func (c combination) String() string {
	return strings.TrimPrefix(strings.Join([]string{c.network, c.data, c.method}, ", "), ", ")
}
