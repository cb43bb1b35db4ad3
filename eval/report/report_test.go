package report

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/posthoc"
)

// TestWrite reads the page as a browser would.
func TestWrite(t *testing.T) {
	e, results := evaluate(t)
	var page bytes.Buffer
	if err := Write(t.Context(), &page, e, results); err != nil {
		t.Fatal(err)
	}
	elements := map[string]int{}
	root, err := html.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	for node := range root.Descendants() {
		elements[node.Data]++
		for _, a := range node.Attr {
			remote := strings.Contains(a.Val, "//") && !strings.HasPrefix(a.Val, "data:")
			if remote || strings.Contains(a.Val, "NaN") || strings.Contains(a.Val, "Inf") || strings.Contains(a.Val, "ZgotmplZ") {
				t.Errorf("<%s %s=%q>", node.Data, a.Key, a.Val)
			}
		}
	}
	// Two charts a method and OOD set; eight pairs of pictures a set, and one of
	// the single image.
	for name, want := range map[string]int{"svg": 8, "img": 2 * (8 + 8 + 1), "script": 0, "link": 0, "near": 0} {
		if elements[name] != want {
			t.Errorf("the page has %d <%s>, want %d", elements[name], name, want)
		}
	}
	// Only in-distribution images have a label to be told.
	if told := strings.Count(text(root), ", taken for "); told != 8 {
		t.Errorf("%d pictures tell a label, want 8", told)
	}
	if !strings.Contains(text(root), "30 in-distribution images cannot support a TPR of 95%") {
		t.Error("the page does not warn of too few images")
	}
}

// TestChart draws two sets that a threshold tells apart.
func TestChart(t *testing.T) {
	c := newChart([]float64{3, 4, 5, 6}, []float64{0, 1, 2, 3}, 3)
	if c.CaughtAtThreshold != 0.75 || c.RejectsAtThreshold != 0 || c.Operating != [2]string{"0.0", "45.0"} {
		t.Errorf("chart %+v", c)
	}
	if !strings.HasPrefix(c.ROC, "0.0,180.0 0.0,180.0 ") || !strings.HasSuffix(c.ROC, "300.0,0.0") {
		t.Errorf("curve %s", c.ROC)
	}
	if c.Threshold != "150.0" || c.Lowest != "0" || c.Highest != "6" {
		t.Errorf("threshold at %s between %s and %s", c.Threshold, c.Lowest, c.Highest)
	}
	// Methods may find images infinitely far.
	inf := math.Inf(1)
	if c = newChart([]float64{-inf, 1, 2}, []float64{-inf, -1, inf}, -inf); c.Lowest != "-1" || c.Highest != "2" || c.Threshold != "0.0" || strings.Contains(c.ID+c.OOD+c.ROC, "NaN") {
		t.Errorf("infinite scores: chart %+v", c)
	}
	if c = newChart([]float64{-inf}, []float64{-inf}, -inf); strings.Contains(c.ID+c.OOD+c.ROC+c.Threshold, "NaN") {
		t.Errorf("only infinite scores: chart %+v", c)
	}
	if c = newChart([]float64{2, 2}, []float64{2}, 2); c.Threshold != "150.0" {
		t.Errorf("constant scores: chart %+v", c)
	}
}

// TestPlot checks that there are pictures of a size, and not of one colour.
func TestPlot(t *testing.T) {
	e, results := evaluate(t)
	dir := filepath.Join(t.TempDir(), "plots")
	if err := Plot(dir, e, results); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
		content, err := os.Open(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(content)
		content.Close()
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		colours := map[color.Color]bool{}
		for x := range img.Bounds().Dx() {
			for y := range img.Bounds().Dy() {
				colours[img.At(x, y)] = true
			}
		}
		if img.Bounds().Dx() < 400 || len(colours) < 20 {
			t.Errorf("%s is %v with %d colours", f.Name(), img.Bounds(), len(colours))
		}
	}
	if got, want := strings.Join(names, " "), "histogram-iodin-<near>.png histogram-iodin-one.png histogram-msp-<near>.png histogram-msp-one.png roc-<near>.png roc-one.png"; got != want {
		t.Errorf("files %s, want %s", got, want)
	}
}

// evaluate runs LeNet on a few images with two methods.
func evaluate(t *testing.T) (*eval.Evaluation, []eval.Result) {
	t.Helper()
	n, err := eval.OpenNetwork(testmodel.LeNet(t), ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	set := func(name, run string) eval.Set {
		d, err := dataset.Open(testmodel.FashionMNIST+"/t10k-images-idx3-ubyte.gz"+run, "")
		if err != nil {
			t.Fatal(err)
		}
		return eval.Set{Name: name, Images: d}
	}
	e := &eval.Evaluation{Network: n, ID: set("id", "[:30]"), Near: []eval.Set{set("<near>", "[30:60]")}, Far: []eval.Set{set("one", "[60:61]")}}
	for _, name := range []string{"msp", "iodin"} {
		m, err := posthoc.New(name)
		if err != nil {
			t.Fatal(err)
		}
		e.Choices = append(e.Choices, eval.Choice{Entry: eval.Entry{Name: name, Method: m}})
	}
	results, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e, results
}

func text(root *html.Node) string {
	var b strings.Builder
	for node := range root.Descendants() {
		if node.Type == html.TextNode {
			b.WriteString(node.Data)
		}
	}
	return b.String()
}
