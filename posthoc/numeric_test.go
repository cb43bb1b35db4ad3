package posthoc

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
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

func TestLargest(t *testing.T) {
	l := newLargest(1, 5)
	var all []float32
	for range 1000 {
		v := float32(rand.IntN(300))
		all = append(all, v)
		l[0].add(v)
	}
	slices.Sort(all)
	got := slices.Sorted(slices.Values(l[0]))
	if !slices.Equal(got, all[len(all)-5:]) || l[0][0] != all[len(all)-5] {
		t.Errorf("kept %v, want %v", l[0], all[len(all)-5:])
	}
}

// TestBlocks has the rows of a set and of a matrix come in runs, the last one shorter,
// none empty.
func TestBlocks(t *testing.T) {
	for n, want := range map[int][]int{0: nil, 5: {5}, 1024: {1024}, 2500: {1024, 1024, 452}} {
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
		var data []float32
		got = nil
		for from, block := range s.Feature.blocks {
			if from != len(data)/3 {
				t.Errorf("a block of a matrix of %d rows begins at %d, want %d", n, from, len(data)/3)
			}
			got, data = append(got, block.Rows()), append(data, block.Data...)
		}
		if !slices.Equal(got, want) || !slices.Equal(data, s.Feature.Data) {
			t.Errorf("a matrix of %d rows comes in runs of %v, want %v, or not whole", n, got, want)
		}
		for range s.Blocks() {
			break // the rest is not to follow
		}
		for range s.Feature.blocks {
			break
		}
	}
}

// TestCompareAll checks tiles and blocks that do not divide the sizes.
func TestCompareAll(t *testing.T) {
	rows, images := randomMatrix(BlockRows+3*tile+5, 7), randomMatrix(3*tile-1, 7)
	clear(rows.Row(4))
	m := &recorder{bank: &Set{Batch: Batch{Logits: rows, Feature: rows}, Labels: make([]int, rows.Rows())}}
	if _, err := scoreCompared(m, &Batch{Feature: images}); err != nil {
		t.Fatal(err)
	}
	if m.disorder != "" {
		t.Error(m.disorder)
	}
	for i := range images.Rows() {
		for j := range rows.Rows() {
			want := 0.0
			if j != 4 {
				want = dot(images.Row(i), rows.Row(j)) / norm(images.Row(i)) / norm(rows.Row(j))
			}
			if math.Abs(float64(m.cosines[i][j])-want) > 1e-6 {
				t.Fatalf("cosine %d, %d is %v, want %v", i, j, m.cosines[i][j], want)
			}
		}
	}
}

// recorder is a method that keeps the cosines it is shown.
type recorder struct {
	logitsOnly
	bank     Bank
	cosines  [][]float32 // of each image
	disorder string
}

func (m *recorder) Score(b *Batch) ([]float64, error) { return scoreCompared(m, b) }
func (m *recorder) compared() Bank                    { return m.bank }

func (m *recorder) begin(b *Batch) (func(*Set) func(comparison), func() []float64) {
	m.cosines = make([][]float32, b.Feature.Rows())
	first := 0 // of the block
	prepare := func(block *Set) func(comparison) {
		from := first
		first += block.Len()
		return func(c comparison) {
			for k := range c.cosines.Rows() {
				i := c.image + k
				if from+c.row != len(m.cosines[i]) {
					m.disorder = fmt.Sprintf("image %d: the tile at row %d follows row %d", i, from+c.row, len(m.cosines[i]))
				}
				m.cosines[i] = append(m.cosines[i], c.cosines.Row(k)...)
			}
		}
	}
	return prepare, func() []float64 { return nil }
}

func TestPrincipal(t *testing.T) {
	x := blas64.General{Rows: 5, Cols: 9, Stride: 9, Data: make([]float64, 45)}
	for i := range x.Data {
		x.Data[i] = rand.Float64()
	}
	u, v := principal(x)
	var svd mat.SVD
	svd.Factorize(mat.NewDense(5, 9, x.Data), mat.SVDThin)
	var wantU, wantV mat.Dense
	svd.UTo(&wantU)
	svd.VTo(&wantV)
	for i := range u {
		for k := range v {
			want := wantU.At(i, 0) * svd.Values(nil)[0] * wantV.At(k, 0)
			if math.Abs(u[i]*v[k]-want) > 1e-9 {
				t.Fatalf("component %d, %d is %v, want %v", i, k, u[i]*v[k], want)
			}
		}
	}
	clear(x.Data)
	if u, _ := principal(x); slices.Max(u) != 0 {
		t.Errorf("a map of zeros has the component %v", u)
	}
}

func randomMatrix(rows, cols int) Matrix {
	m := Matrix{make([]float32, rows*cols), cols}
	for i := range m.Data {
		m.Data[i] = float32(rand.NormFloat64())
	}
	return m
}
