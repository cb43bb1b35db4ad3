package posthoc

import (
	"fmt"
	"math"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// adaScale scales like Scale and LTS, by a percentile that each image has for itself
// (Regmi, "AdaSCALE: Adaptive Scaling for OOD Detection", 2025). With g = ∂ max z/∂x, the
// 5% of the image's elements whose |g| is smallest move by 0.5·sign(g), and h' is the
// feature then. How much of the strongest activations that leaves, and how far it moves
// them, is q = Σ relu(h') over the K1% largest of h + 10·Σ |h-h'| over the K2% largest.
// With F the share of the validation images whose q is no larger, the percentile is
// Low + (1-F(q))·(High-Low), and r = Σ relu(h) / Σ of the largest of relu(h), all but that
// percentile.
type adaScale struct {
	Low  float64 `json:"low"` // percentiles
	High float64 `json:"high"`
	K1   float64 `json:"k1"` // percent of the activations
	K2   float64 `json:"k2"`

	linear  linear
	network network
	places  []float64 // q of validation images, rising
}

// AdaScaleA is E(W·(h·exp(r))+b), with r as adaptive as AdaSCALE has it.
type AdaScaleA struct{ adaScale }

// AdaScaleL is E(r²·(Wh+b)).
type AdaScaleL struct{ adaScale }

func init() {
	a := func(s adaScale) Method { return &AdaScaleA{s} }
	l := func(s adaScale) Method { return &AdaScaleL{s} }
	register("adascale_a", func() Method { return a(publishedAdaScale) }, sweepOf(adaScales(), a))
	register("adascale_l", func() Method { return l(publishedAdaScale) }, sweepOf(adaScales(), l))
}

var publishedAdaScale = adaScale{Low: 75, High: 85, K1: 5, K2: 1}

// adaScales is the published sweep.
func adaScales() []adaScale {
	percentiles := []float64{60, 65, 70, 75, 80, 85, 90, 95, 99}
	var all []adaScale
	for i, low := range percentiles {
		for _, high := range percentiles[i+1:] {
			s := publishedAdaScale
			s.Low, s.High = low, high
			all = append(all, s)
		}
	}
	return all
}

// Needs are the images, and validation images.
func (*adaScale) Needs() Needs {
	return Needs{Linear: true, ValidID: true, Graph: []string{artifact.Image}}
}

func (m *adaScale) observation(d *Data) Observation {
	n, k1, k2 := d.network(), m.K1, m.K2
	return Observation{Name: adaScaleName(k1, k2), ValidID: true, graph: []string{artifact.Image}, emit: func(p *Part) string {
		return p.adaScaleStatistic(n, d.Weight.Cols, k1, k2)
	}}
}

func (m *adaScale) check(s Sizes) error {
	for _, q := range []float64{m.K1, m.K2} {
		if err := checkPercentile(q); err != nil {
			return err
		}
	}
	if int(float64(s.Dim)*m.K1/100) == 0 {
		return ascood.Errorf(ascood.Invalid, "k1 %v: that percentage of %d activations is none", m.K1, s.Dim)
	}
	if !(m.Low <= m.High) {
		return ascood.Errorf(ascood.Invalid, "low %v and high %v: the first must not be more than the second", m.Low, m.High)
	}
	if err := checkPercentile(m.Low); err != nil {
		return err
	}
	return checkShaping(m.High, s.Dim)
}

// adaScaleName is of q: sweeps share it.
func adaScaleName(k1, k2 float64) string { return fmt.Sprintf("adascale-%v-%v", k1, k2) }

// mostObserved is how many validation images the published code takes at most.
const mostObserved = 5000

// Fit takes the validation images' q.
func (m *adaScale) Fit(d *Data) error {
	m.linear, m.network = d.linear(), d.network()
	var all []float64
	for block, err := range d.Observed[m.observation(d).Name].Blocks() {
		if err != nil {
			return err
		}
		all = append(all, doubles(block.Feature.Data)...)
	}
	m.places = thinned(slices.Sorted(slices.Values(all)), mostObserved)
	return nil
}

// adaScaleStatistic emits q, [N,1], rounded to float32, as what it is compared with.
func (p *Part) adaScaleStatistic(n network, dim int, k1, k2 float64) string {
	return p.share(adaScaleName(k1, k2), func() string {
		h, moved := p.Feature(), p.double(p.adaScaleMoved(n))
		first, second := int(float64(dim)*k1/100), int(float64(dim)*k2/100)
		_, at := p.top(h, first)
		q := p.sum(p.Op("GatherElements", []string{p.Op("Relu", []string{moved}), at}, onnx.Int("axis", 1)))
		if second > 0 {
			_, at = p.top(h, second)
			shift := p.Op("GatherElements", []string{p.abs(p.sub(h, moved)), at}, onnx.Int("axis", 1))
			q = p.add(q, p.scaled(p.sum(shift), 10))
		}
		return p.double(p.single(q))
	})
}

// adaScaleMoved emits h'.
func (p *Part) adaScaleMoved(n network) string {
	return p.share("adascale", func() string {
		image := p.image(n)
		logits := p.resume(n.GraphProto, artifact.Image, image, artifact.Logits)[artifact.Logits]
		onehot := p.single(p.Op("Equal", []string{logits, p.Op("ReduceMax", []string{logits}, onnx.Ints("axes", 1), onnx.Int("keepdims", 1))}))
		g := p.flat(p.gradient(n, logits, onehot, image))
		size, err := n.Input[0].Shape()
		if err != nil {
			p.Fail(err)
			return image
		}
		elements := 3 * size[1].Size * size[2].Size
		const share, step = 0.05, 0.5
		at := p.Ops("TopK", 2, []string{p.abs(g), p.Int64s(int(share * float64(elements)))}, onnx.Int("axis", 1), onnx.Int("largest", 0))[1]
		steps := p.mul(p.Op("Sign", []string{p.Op("GatherElements", []string{g, at}, onnx.Int("axis", 1))}), p.Scalar(step))
		moved := p.Op("ScatterElements", []string{p.flat(image), at, steps}, onnx.Int("axis", 1), onnx.String("reduction", "add"))
		moved = p.Op("Reshape", []string{moved, p.Int64s(-1, 3, size[1].Size, size[2].Size)})
		return p.resume(n.GraphProto, artifact.Image, moved, artifact.Feature)[artifact.Feature]
	})
}

// ratio emits r, [N,1].
func (m *adaScale) ratio(p *Part) string {
	dim := m.linear.weight.Cols
	q := p.adaScaleStatistic(m.network, dim, m.K1, m.K2)
	larger := p.sum(p.double(p.greater(p.doubles("places", m.places, 1, len(m.places)), q))) // than q: 1-F of all
	percentile := p.add(p.scaled(larger, (m.High-m.Low)/float64(len(m.places))), p.number(m.Low))
	left := p.Op("Round", []string{p.scaled(percentile, float64(dim)/100)}) // half to even
	kept := p.sub(p.number(float64(dim)), left)
	active := p.Op("Relu", []string{p.Feature()})
	sorted, _ := p.top(active, dim)
	ranks := make([]float64, dim)
	for i := range ranks {
		ranks[i] = float64(i)
	}
	among := p.double(p.greater(kept, p.doubles("ranks", ranks, 1, dim)))
	strongest := p.sum(p.mul(sorted, among))
	return p.where(p.equal(strongest, p.number(0)), p.number(1), p.div(p.sum(active), p.atLeast(strongest, p.number(math.SmallestNonzeroFloat32))))
}

// Emit emits the score.
func (m *AdaScaleA) Emit(p *Part) string {
	return p.energy(p.classLogits(m.linear, p.mul(p.Feature(), p.exp(m.ratio(p)))))
}

// Emit emits the score.
func (m *AdaScaleL) Emit(p *Part) string {
	r := m.ratio(p)
	return p.energy(p.mul(p.classLogits(m.linear, p.Feature()), p.square(r)))
}
