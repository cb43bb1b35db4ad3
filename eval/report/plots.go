package report

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/metrics"
)

// Plot writes PNG files into a folder: roc-SET.png with the curves of all
// methods, and histogram-METHOD-SET.png with the threshold that keeps 95% of the
// in-distribution images.
func Plot(dir string, e *eval.Evaluation, results []eval.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "plots: %w", err)
	}
	for k, s := range e.Sets()[1:] {
		p, err := plotCurves(s.Name, k+1, results)
		if err != nil {
			return err
		}
		if err := savePlot(p, 12*vg.Centimeter, filepath.Join(dir, "roc-"+s.Name+".png")); err != nil {
			return err
		}
		for _, r := range results {
			p, err := plotHistogram(r, k+1, s.Name)
			if err != nil {
				return err
			}
			if err := savePlot(p, 9*vg.Centimeter, filepath.Join(dir, "histogram-"+r.Method+"-"+s.Name+".png")); err != nil {
				return err
			}
		}
	}
	return nil
}

// plotCurves draws the ROC curve of each method on OOD set k.
func plotCurves(set string, k int, results []eval.Result) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = set
	p.X.Label.Text, p.Y.Label.Text = "ID images rejected", "OOD images caught"
	p.Add(plotter.NewGrid())
	for i, r := range results {
		var points plotter.XYs
		id, ood := slices.Sorted(slices.Values(r.Scores[0].Values)), slices.Sorted(slices.Values(r.Scores[k].Values))
		for _, o := range metrics.Curve(id, ood) {
			points = append(points, plotter.XY{X: o.Rejected, Y: o.Caught})
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", r.Method, err)
		}
		line.Color, line.Width = plotutil.Color(i), vg.Points(1.5)
		line.Dashes = plotutil.Dashes(i / 7) // there are seven colours
		p.Add(line)
		p.Legend.Add(r.Method, line)
	}
	placeLegend(p)
	if len(results) > 10 {
		p.Legend.TextStyle.Font.Size = vg.Points(8)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	return p, nil
}

var (
	idColour  = color.NRGBA{0x21, 0x66, 0xac, 0xff}
	oodColour = color.NRGBA{0xd6, 0x60, 0x4d, 0xff}
)

// plotHistogram draws a method's scores of the ID images and of OOD set k.
func plotHistogram(r eval.Result, k int, set string) (*plot.Plot, error) {
	id, ood := slices.Sorted(slices.Values(r.Scores[0].Values)), slices.Sorted(slices.Values(r.Scores[k].Values))
	all, err := metrics.Thresholds(id)
	if err != nil {
		return nil, err
	}
	operating := slices.IndexFunc(all, func(t metrics.Threshold) bool { return t.TPR == operatingTPR })
	threshold := all[operating].Score.Value
	low, high := limits(id, ood, threshold)

	p := plot.New()
	p.Title.Text = r.Method
	p.X.Label.Text, p.Y.Label.Text = "score", "share of the images"
	tallest := 0.0
	for _, part := range []struct {
		name   string
		scores []float64
		colour color.NRGBA
	}{{set, ood, oodColour}, {"in-distribution", id, idColour}} {
		shares := histogram(part.scores, low, high)
		tallest = max(tallest, slices.Max(shares))
		steps, err := stairs(shares, low, high)
		if err != nil {
			return nil, fmt.Errorf("plot %s: %w", r.Method, err)
		}
		steps.LineStyle.Color, steps.LineStyle.Width = part.colour, vg.Points(1.2)
		fill := part.colour
		fill.A = 0x50
		steps.FillColor = fill
		p.Add(steps)
		p.Legend.Add(part.name, steps)
	}
	at := low + place(threshold, low, high)*(high-low)
	line, err := plotter.NewLine(plotter.XYs{{X: at, Y: 0}, {X: at, Y: tallest}})
	if err != nil {
		return nil, fmt.Errorf("plot %s: %w", r.Method, err)
	}
	line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(line)
	p.Legend.Add("threshold", line)
	p.Legend.Top = true
	placeLegend(p)
	p.Y.Max = 1.35 * tallest // room for the legend
	return p, nil
}

func placeLegend(p *plot.Plot) {
	p.Legend.Padding = vg.Points(3)
	p.Legend.XOffs = -vg.Points(6)
}

// stairs is the outline of a histogram's bars.
func stairs(shares []float64, low, high float64) (*plotter.Line, error) {
	step := (high - low) / bins
	points := plotter.XYs{{X: low, Y: 0}}
	for i, s := range shares {
		points = append(points, plotter.XY{X: low + step*float64(i), Y: s}, plotter.XY{X: low + step*float64(i+1), Y: s})
	}
	return plotter.NewLine(append(points, plotter.XY{X: high, Y: 0}))
}

// savePlot writes a plot of 14 cm by height, sharp enough for print.
func savePlot(p *plot.Plot, height vg.Length, path string) error {
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(14*vg.Centimeter, height), vgimg.UseDPI(200))}
	p.Draw(draw.New(canvas))
	var content bytes.Buffer
	if _, err := canvas.WriteTo(&content); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	if err := atomicfile.WriteFile(path, content.Bytes()); err != nil {
		return ascood.Errorf(ascood.Invalid, "plots: %w", err)
	}
	return nil
}
