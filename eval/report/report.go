// Package report writes an evaluation as one web page that needs nothing else:
// tables, curves, histograms, thresholds, and the images that fooled the network.
package report

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/metrics"
	"github.com/ascood/ascood/posthoc"
)

// operatingTPR is the share of ID images that the threshold in the charts keeps.
const operatingTPR = 0.95

// page is what the template shows.
type page struct {
	Model, Arch, Score string
	Images             int  // ID
	Counted            bool // rows have counts of skipped images
	TPR                float64
	Methods            []method
	Galleries          []gallery
	By                 string // the method that the galleries are ordered by
	OfScore            bool   // it is its score that the saliency is of
}

type method struct {
	Name, Settings string
	Notes          []string
	Trials         int
	Rows           []metrics.Row
	Sets           []string
	Thresholds     []metrics.Threshold
	TooFew         []string
	Charts         []chart
}

// Write writes the page. Its galleries follow the first method's scores.
func Write(ctx context.Context, w io.Writer, e *eval.Evaluation, results []eval.Result) error {
	info := e.Network.Info()
	p := page{Model: info.Name, Arch: info.Arch, Score: info.Score.String(), Images: e.ID.Images.Len(), Counted: e.SkipBroken, TPR: operatingTPR}
	for _, r := range results {
		m, err := newMethod(e, r)
		if err != nil {
			return err
		}
		p.Methods = append(p.Methods, m)
	}
	first := results[0]
	p.By = first.Method
	var saliency string
	saliency, p.OfScore = e.Network.Saliency(e.Choices[0].Entry.Method)
	g, err := newGallery(ctx, e.Network, saliency, "Strangest in-distribution images", e.ID, first.Scores[0], rising, true)
	if err != nil {
		return err
	}
	p.Galleries = append(p.Galleries, g)
	for k, s := range e.Sets()[1:] {
		g, err := newGallery(ctx, e.Network, saliency, "Most convincing images of "+s.Name, s, first.Scores[k+1], falling, false)
		if err != nil {
			return err
		}
		p.Galleries = append(p.Galleries, g)
	}
	if err := layout.Execute(w, p); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func newMethod(e *eval.Evaluation, r eval.Result) (method, error) {
	m := method{Name: r.Method, Settings: posthoc.Describe(r.Settings), Notes: r.Notes, Trials: r.Tried(), Rows: r.Table}
	var err error
	if m.Thresholds, m.Sets, err = e.Thresholds(r); err != nil {
		return m, err
	}
	id := r.Scores[0].Values
	for _, t := range m.Thresholds {
		if warning := metrics.TooFew(len(id), t.TPR); warning != "" {
			m.TooFew = append(m.TooFew, warning)
		}
		if t.TPR != operatingTPR {
			continue
		}
		for k, set := range m.Sets {
			c := newChart(id, r.Scores[k+1].Values, t.Score.Value)
			c.Set = set
			row := r.Table[slices.IndexFunc(r.Table, func(row metrics.Row) bool { return row.Name == set })]
			c.AUROC, c.FPR95 = row.AUROC, row.FPR95
			m.Charts = append(m.Charts, c)
		}
	}
	return m, nil
}

//go:embed page.html
var source string

var layout = template.Must(template.New("page").Funcs(template.FuncMap{
	"isMean": func(name string) bool {
		return name == metrics.NearMean || name == metrics.FarMean || strings.HasPrefix(name, metrics.FarMeanWith(""))
	},
	"percent": func(v float64) string { return fmt.Sprintf("%.2f", 100*v) },
	"whole":   func(v float64) string { return fmt.Sprintf("%.0f", 100*v) },
	"tenth":   func(v float64) string { return fmt.Sprintf("%.1f", 100*v) },
	"short":   func(v float64) string { return fmt.Sprintf("%.6g", v) },
}).Parse(source))
