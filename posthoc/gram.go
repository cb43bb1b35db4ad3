package posthoc

import (
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// Gram is a deviation of the maps inside a ResNet from those of training images (Sastry
// and Oore, "Detecting Out-of-Distribution Examples with Gram Matrices", 2020), divided
// by 50. The maps F [C,H·W] are those of stem, layer1, layer2 and layer3, and the feature
// as maps of a single pixel. For p = 1 … 5 a channel's statistic is r^(1/p), with the sign
// of r, the sum of its row of F^p·(F^p)ᵀ, F^p by elements. Of each class there are, as
// published, the least and the largest statistic of all its training images' channels, and
// an image is compared by the sum S over its channels, with the bounds of the class that it
// is taken for: Σ relu(min-S)/|min+ε| + relu(S-max)/|max+ε|, ε = 1e-6. A class without
// training images has the bounds of all together.
//
// The published score is the deviation itself, although images far from the training's
// deviate more, so that its AUROC is below 50 in places: as "gram". The negated one is
// "gram_negated".
type Gram struct {
	min, max []float64 // [C·K] of the K statistics
	missing  []int     // classes without training images
}

// GramNegated is Gram with the sign that makes higher scores more in-distribution.
type GramNegated struct{ Gram }

func init() {
	register("gram", func() Method { return &Gram{} }, nil)
	register("gram_negated", func() Method { return &GramNegated{} }, nil)
}

// Needs are the maps, and training images.
func (*Gram) Needs() Needs { return Needs{Train: true, Graph: gramMaps} }

var gramMaps = []string{artifact.Stem, artifact.Layer1, artifact.Layer2, artifact.Layer3}

const gramPowers = 5

func (*Gram) observation(*Data) Observation {
	return Observation{Name: "gram", graph: gramMaps, emit: func(p *Part) string {
		var all []string
		for _, s := range p.gramStatistics() {
			all = append(all, p.reduce("ReduceMin", s, true))
		}
		for _, s := range p.gramStatistics() {
			all = append(all, p.max(s))
		}
		return p.Op("Concat", all, onnx.Int("axis", 1))
	}}
}

// gramStatistics emits the statistics of each map's channels for each power, float64
// [N,C]. A row of F^p·(F^p)ᵀ sums to the product of F^p's with the sum of all rows, so that
// the matrix need not be there.
func (p *Part) gramStatistics() []string {
	maps := []string{}
	for _, name := range gramMaps {
		maps = append(maps, p.Op("Reshape", []string{p.double(p.Map(name)), p.Int64s(0, 0, -1)}))
	}
	maps = append(maps, p.Op("Unsqueeze", []string{p.Feature(), p.Int64s(2)}))
	var all []string
	for _, m := range maps {
		for power := 1; power <= gramPowers; power++ {
			f := p.pow(m, float64(power))
			sum := p.Op("ReduceSum", []string{f, p.Int64s(1)}, onnx.Int("keepdims", 1))
			r := p.Op("ReduceSum", []string{p.mul(f, sum), p.Int64s(2)}, onnx.Int("keepdims", 0))
			all = append(all, p.mul(p.Op("Sign", []string{r}), p.pow(p.abs(r), 1/float64(power))))
		}
	}
	return all
}

// Fit finds the bounds.
func (m *Gram) Fit(d *Data) error {
	classes, width := d.Classes(), 0
	var seen []bool
	for block, err := range d.Observed["gram"].Blocks() {
		if err != nil {
			return err
		}
		if width == 0 {
			width, seen = block.Feature.Cols/2, make([]bool, classes)
			m.min, m.max = repeated(math.Inf(1), classes*width), repeated(math.Inf(-1), classes*width)
		}
		for i, label := range block.Labels {
			if label < 0 || label >= classes {
				return ascood.Errorf(ascood.Invalid, "a training image has label %d; the classes are 0 to %d", label, classes-1)
			}
			seen[label] = true
			both := doubles(block.Feature.Row(i)) // the least of all, then the largest
			widen(m.min[label*width:], m.max[label*width:], both[:width], both[width:])
		}
	}
	m.fill(seen, width)
	return nil
}

// fill gives the classes without images the bounds of all together.
func (m *Gram) fill(seen []bool, width int) {
	least, most := repeated(math.Inf(1), width), repeated(math.Inf(-1), width)
	for c := range seen {
		widen(least, most, m.min[c*width:(c+1)*width], m.max[c*width:(c+1)*width])
	}
	m.missing = nil
	for c, there := range seen {
		if !there {
			m.missing = append(m.missing, c)
			copy(m.min[c*width:], least)
			copy(m.max[c*width:], most)
		}
	}
}

// widen makes bounds take in others.
func widen(least, most, low, high []float64) {
	for k := range low {
		least[k], most[k] = min(least[k], low[k]), max(most[k], high[k])
	}
}

func repeated(v float64, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = v
	}
	return all
}

func (m *Gram) notes() []string {
	return noneOf("training images of", m.missing, "its bounds are those of all classes together")
}

// Emit emits the deviation.
func (m *Gram) Emit(p *Part) string {
	sums := p.share("gram", func() string {
		var all []string
		for _, s := range p.gramStatistics() {
			all = append(all, p.sum(s))
		}
		return p.Op("Concat", all, onnx.Int("axis", 1))
	})
	const epsilon = 1e-6
	beyond := func(name string, bounds []float64, sign float64) string {
		scales := make([]float64, len(bounds)) // what an excess is divided by
		for i, b := range bounds {
			scales[i] = math.Abs(b + epsilon)
		}
		at := func(name string, v []float64) string {
			classes := len(v) / m.width()
			return p.rows(p.doubles(name, v, classes, m.width()), p.prediction())
		}
		excess := p.scaled(p.sub(sums, at(name, bounds)), sign)
		return p.div(p.Op("Relu", []string{excess}), at(name+"/scale", scales))
	}
	deviation := p.total(p.add(beyond("least", m.min, -1), beyond("most", m.max, 1)))
	return p.scaled(deviation, 1./50)
}

// Emit emits the deviation, negated.
func (m *GramNegated) Emit(p *Part) string { return p.negated(m.Gram.Emit(p)) }

// width is the number of statistics.
func (*Gram) width() int { return (len(gramMaps) + 1) * gramPowers }
