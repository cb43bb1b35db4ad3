package posthoc

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Matrix is a matrix of float32, row-major: large sets are kept at the precision
// they come in.
type Matrix struct {
	Data []float32
	Cols int
}

// Rows returns the number of rows.
func (m Matrix) Rows() int {
	if m.Cols == 0 {
		return 0
	}
	return len(m.Data) / m.Cols
}

// Row returns row i, which shares the matrix's memory.
func (m Matrix) Row(i int) []float32 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

// Slice returns rows from up to but without to, which share the matrix's memory.
func (m Matrix) Slice(from, to int) Matrix {
	return Matrix{m.Data[from*m.Cols : to*m.Cols], m.Cols}
}

// Tensor is a value of the graph, row-major.
type Tensor struct {
	Data    []float32
	Shape   []int     // [N,…]
	Doubles []float64 // in place of Data, of a value of double precision
}

// double returns the matrix in double precision, less centre in every row.
func (m Matrix) double(centre []float64) *mat.Dense {
	d := mat.NewDense(m.Rows(), m.Cols, nil)
	for i := range m.Rows() {
		to := d.RawRowView(i)
		for k, v := range m.Row(i) {
			to[k] = float64(v) - centre[k]
		}
	}
	return d
}

func doubles(v []float32) []float64 {
	d := make([]float64, len(v))
	for i, x := range v {
		d[i] = float64(x)
	}
	return d
}

func argmax[T float32 | float64](v []T) int {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// softmax returns softmax(z/t).
func softmax(z []float32, t float64) []float64 {
	largest := float64(z[argmax(z)])
	p, sum := make([]float64, len(z)), 0.0
	for i, v := range z {
		p[i] = math.Exp((float64(v) - largest) / t)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// energy is E(z) = log Σ exp(z).
func energy[T float32 | float64](z []T) float64 {
	largest, sum := float64(z[argmax(z)]), 0.0
	for _, v := range z {
		sum += math.Exp(float64(v) - largest)
	}
	return largest + math.Log(sum)
}

func dot[T float32 | float64](a []float32, b []T) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

func norm(v []float32) float64 { return math.Sqrt(dot(v, v)) }
