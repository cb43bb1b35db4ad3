package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/metrics"
)

//go:embed plots.svg
var plotsSource string

var plots = template.Must(template.New("plots").Parse(plotsSource))

// curves are what a plot of ROC curves shows.
type curves struct {
	Set    string
	Ticks  []tick
	Curves []curve
}

// tick is a line of the grid, at the same share on both axes.
type tick struct {
	X, Y  int
	Label string
}

type curve struct {
	Name, Points   string
	Colour, Dashes string
	At             string // y of its name
}

// Plot writes SVG files into a folder: roc-SET.svg with the curves of all methods, and
// histogram-METHOD-SET.svg with the threshold that keeps 95% of the in-distribution
// images.
func Plot(dir string, e *eval.Evaluation, results []eval.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "plots: %w", err)
	}
	for k, s := range e.Sets()[1:] {
		roc := curves{Set: s.Name, Ticks: ticks()}
		for i, r := range results {
			threshold, err := operating(r)
			if err != nil {
				return err
			}
			c := newChart(r.Scores[0].Values, r.Scores[k+1].Values, threshold)
			c.Method, c.Set = r.Method, s.Name
			roc.Curves = append(roc.Curves, newCurve(c, i, len(results)))
			if err := savePlot("histogram", c, filepath.Join(dir, "histogram-"+r.Method+"-"+s.Name+".svg")); err != nil {
				return err
			}
		}
		if err := savePlot("roc", roc, filepath.Join(dir, "roc-"+s.Name+".svg")); err != nil {
			return err
		}
	}
	return nil
}

// operating is the threshold of a method that the charts show.
func operating(r eval.Result) (float64, error) {
	all, err := metrics.Thresholds(slices.Sorted(slices.Values(r.Scores[0].Values)))
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(all, func(t metrics.Threshold) bool { return t.TPR == operatingTPR })
	return all[at].Score.Value, nil
}

func ticks() []tick {
	var all []tick
	for percent := 0; percent <= 100; percent += 20 {
		all = append(all, tick{width * percent / 100, height - height*percent/100, fmt.Sprintf("%d%%", percent)})
	}
	return all
}

// Colours that can be told apart in print, and dashes for when they are used up.
var (
	colours = []string{"#2166ac", "#d6604d", "#1b7837", "#762a83", "#b8860b", "#111111", "#888888"}
	dashes  = []string{"", "6 3", "2 2", "8 2 2 2"}
)

// newCurve is number i of so many.
func newCurve(c chart, i, methods int) curve {
	step := min(12, height/float64(methods))
	return curve{
		Name: c.Method, Points: c.ROC, At: coordinate(step * (float64(i) + 0.5)),
		Colour: colours[i%len(colours)], Dashes: dashes[i/len(colours)%len(dashes)],
	}
}

// savePlot writes a plot by one of the templates.
func savePlot(name string, shown any, path string) error {
	var content bytes.Buffer
	if err := plots.ExecuteTemplate(&content, name, shown); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	if err := atomicfile.WriteFile(path, content.Bytes()); err != nil {
		return ascood.Errorf(ascood.Invalid, "plots: %w", err)
	}
	return nil
}
