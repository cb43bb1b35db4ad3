package posthoc

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

func TestPercentile(t *testing.T) {
	values := []float32{3, -1, 0, 7, -1, 2.5}
	// numpy.percentile of the same.
	for q, want := range map[float64]float64{0: -1, 10: -1, 50: 1.25, 90: 5, 95: 6, 100: 7} {
		if got := percentile(values, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("percentile %v is %v, want %v", q, got, want)
		}
	}
	random := make([]float32, 10_001)
	for i := range random {
		random[i] = float32(rand.NormFloat64())
	}
	sorted := slices.Sorted(slices.Values(random))
	for k := range sorted {
		if k%97 == 0 && orderStatistic(random, k) != sorted[k] {
			t.Errorf("order statistic %d is %v, want %v", k, orderStatistic(random, k), sorted[k])
		}
	}
}

// TestBlocks has the rows of a set come in runs, the last one shorter,
// none empty.
func TestBlocks(t *testing.T) {
	for n, want := range map[int][]int{0: nil, 5: {5}, 4096: {4096}, 10_000: {4096, 4096, 1808}} {
		s := &Set{Batch: Batch{Logits: randomMatrix(n, 2), Feature: randomMatrix(n, 3)}, Labels: rand.Perm(n)}
		var got []int
		rows := &Set{Batch: Batch{Logits: Matrix{Cols: 2}, Feature: Matrix{Cols: 3}}}
		for block, err := range s.Blocks() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, block.Len())
			rows.Logits.Data = append(rows.Logits.Data, block.Logits.Data...)
			rows.Feature.Data = append(rows.Feature.Data, block.Feature.Data...)
			rows.Labels = append(rows.Labels, block.Labels...)
		}
		if !slices.Equal(got, want) || !slices.Equal(rows.Labels, s.Labels) ||
			!slices.Equal(rows.Logits.Data, s.Logits.Data) || !slices.Equal(rows.Feature.Data, s.Feature.Data) {
			t.Errorf("a set of %d comes in runs of %v, want %v, or not whole", n, got, want)
		}
		for range s.Blocks() {
			break // the rest is not to follow
		}
	}
}

// TestCosines compares all images with all of a bank, whose blocks and pieces do not
// divide the sizes.
func TestCosines(t *testing.T) {
	rows, images := randomMatrix(BlockRows+205, 7), randomMatrix(3*together-1, 7)
	clear(rows.Row(4))
	clear(images.Row(5))
	bank := &Set{Batch: Batch{Logits: rows, Feature: rows}, Labels: make([]int, rows.Rows())}
	got := scoreOf(t, &sumOfCosines{bank: bank}, &Batch{Logits: images, Feature: images})
	for i := range images.Rows() {
		want := 0.0
		for j := range rows.Rows() {
			if i != 5 && j != 4 {
				want += dot(images.Row(i), rows.Row(j)) / norm(images.Row(i)) / norm(rows.Row(j))
			}
		}
		if math.Abs(got[i]-want) > 1e-3 {
			t.Fatalf("the cosines of image %d sum up to %v, want %v", i, got[i], want)
		}
	}
}

type sumOfCosines struct {
	logitsOnly
	bank Bank
}

func (m *sumOfCosines) compared() Bank      { return m.bank }
func (m *sumOfCosines) Emit(p *Part) string { return p.score(p.sumOverBank(p.cosines())) }

// TestTopOfBank keeps the largest over blocks of a bank, the first of which has fewer.
func TestTopOfBank(t *testing.T) {
	rows, images := randomMatrix(1000, 3), randomMatrix(together+1, 3)
	bank := small{&Set{Batch: Batch{Logits: rows, Feature: rows}, Labels: make([]int, rows.Rows())}}
	for _, k := range []int{1, 7, 299, 301, 1000} {
		got := scoreOf(t, &KNN{K: k, bank: bank}, &Batch{Logits: images, Feature: images})
		for i := range images.Rows() {
			var all []float64
			for j := range rows.Rows() {
				all = append(all, dot(images.Row(i), rows.Row(j))/norm(images.Row(i))/norm(rows.Row(j)))
			}
			slices.Sort(all)
			if want := 2*all[len(all)-k] - 2; math.Abs(got[i]-want) > 1e-6 {
				t.Fatalf("image %d is %v from its neighbour %d, want %v", i, got[i], k, want)
			}
		}
	}
}

// TestRemoveRank1 compares with a singular value decomposition.
func TestRemoveRank1(t *testing.T) {
	const images, channels, area = 3, 5, 9
	maps := make([]float32, images*channels*area) // the last one's is of zeros
	for i := range maps[:2*channels*area] {
		maps[i] = rand.Float32()
	}
	for image := range images {
		x := mat.NewDense(channels, area, doubles(maps[image*channels*area:(image+1)*channels*area]))
		want := mat.DenseCopyOf(x)
		var svd mat.SVD
		svd.Factorize(x, mat.SVDThin)
		var u, v mat.Dense
		svd.UTo(&u)
		svd.VTo(&v)
		var component mat.Dense
		component.Outer(svd.Values(nil)[0], u.ColView(0), v.ColView(0))
		want.Sub(want, &component)
		for k := range channels * area {
			m := &element{k}
			got := scoreOf(t, m, &Batch{Logits: Matrix{make([]float32, images), 1}, Graph: map[string]Tensor{artifact.Layer3: {Data: maps, Shape: []int{images, channels, 3, 3}}}})
			if w := want.At(k/area, k%area); math.Abs(got[image]-w) > 1e-9 {
				t.Fatalf("element %d of map %d is %v, want %v", k, image, got[image], w)
			}
		}
	}
}

// element is an element of what is left of the third stage's map.
type element struct{ at int }

func (*element) Needs() Needs    { return Needs{} }
func (*element) Fit(*Data) error { return nil }
func (m *element) Emit(p *Part) string {
	flat := p.Op("Flatten", []string{p.removeRank1(p.Map(artifact.Layer3))})
	return p.score(p.Op("Gather", []string{flat, p.Int64s(m.at)}, onnx.Int("axis", 1)))
}

func randomMatrix(rows, cols int) Matrix {
	m := Matrix{make([]float32, rows*cols), cols}
	for i := range m.Data {
		m.Data[i] = float32(rand.NormFloat64())
	}
	return m
}
