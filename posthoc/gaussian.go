package posthoc

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/ascood/ascood"
)

// scatter sums x·xᵀ over the features x of a bank's images, each less the centre
// of its label, and divides by their number: a biased covariance.
func scatter(b Bank, centre func(label int) []float64) (*mat.SymDense, error) {
	var sum *mat.Dense
	dim := 0
	for block, err := range b.Blocks() {
		if err != nil {
			return nil, err
		}
		if sum == nil {
			dim = block.Feature.Cols
			sum = mat.NewDense(dim, dim, nil)
		}
		// The images are x's columns: gonum multiplies rows by rows fastest.
		x := mat.NewDense(dim, block.Len(), nil).RawMatrix()
		for i, label := range block.Labels {
			c := centre(label)
			for k, v := range block.Feature.Row(i) {
				x.Data[k*x.Stride+i] = float64(v) - c[k]
			}
		}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1/float64(b.Len()), x, x, 1, sum.RawMatrix())
	}
	symmetric := mat.NewSymDense(dim, nil)
	for i := range dim {
		for k := i; k < dim; k++ {
			symmetric.SetSym(i, k, sum.At(i, k))
		}
	}
	return symmetric, nil
}

// eigen returns the eigenvalues of a covariance, rising, and the eigenvectors as
// columns.
func eigen(covariance *mat.SymDense) ([]float64, *mat.Dense, error) {
	var e mat.EigenSym
	if !e.Factorize(covariance, true) {
		return nil, nil, ascood.Errorf(ascood.Invalid, "the features' covariance has no eigenvalues: are they finite?")
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	return e.Values(nil), &vectors, nil
}

// whitening maps a feature so that the squared Euclidean distance is the squared
// Mahalanobis distance under a covariance.
type whitening struct {
	transform *mat.Dense // [D,D]; a row vector x becomes (x - origin)·transform
	origin    []float64  // [D]
}

// whiten inverts a covariance on the subspace in which features vary at all.
func whiten(covariance *mat.SymDense, origin []float64) (*whitening, error) {
	values, vectors, err := eigen(covariance)
	if err != nil {
		return nil, err
	}
	dim := len(values)
	// The cut-off of SciPy's pinvh, by which the reference inverts its covariance in
	// double precision.
	const epsilon = 0x1p-52
	floor := epsilon * values[dim-1] * float64(dim)
	for k, v := range values {
		scale := 0.0
		if v > floor {
			scale = 1 / math.Sqrt(v)
		}
		for i := range dim {
			vectors.Set(i, k, vectors.At(i, k)*scale)
		}
	}
	return &whitening{vectors, origin}, nil
}

// point maps one vector.
func (w *whitening) point(v []float64) []float64 {
	moved := make([]float64, len(v))
	floats.SubTo(moved, v, w.origin)
	var y mat.Dense
	y.Mul(mat.NewDense(1, len(v), moved), w.transform)
	return y.RawRowView(0)
}

// apply emits what features [N,D] become.
func (w *whitening) apply(p *Part, features string) string {
	type key struct {
		*whitening
		features string
	}
	return p.share(key{w, features}, func() string {
		dim := len(w.origin)
		centred := p.sub(features, p.doubles("centre", w.origin, dim))
		return p.product(centred, p.doubles("whitening", w.transform.RawMatrix().Data, dim, dim))
	})
}

func squaredDistance(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return sum
}

// classGaussians are normal distributions of the training features, one a class,
// with one covariance.
type classGaussians struct {
	*whitening
	means [][]float64 // whitened; nil for a class without training images
}

func fitClassGaussians(b Bank, classes int) (*classGaussians, error) {
	means, err := classMeans(b, classes, func(*Set, int) bool { return true })
	if err != nil {
		return nil, err
	}
	covariance, err := scatter(b, func(label int) []float64 { return means[label] })
	if err != nil {
		return nil, err
	}
	centre, err := meanFeature(b)
	if err != nil {
		return nil, err
	}
	w, err := whiten(covariance, centre)
	if err != nil {
		return nil, err
	}
	g := &classGaussians{w, make([][]float64, classes)}
	for c, mean := range means {
		if mean != nil {
			g.means[c] = w.point(mean)
		}
	}
	return g, nil
}

func (g *classGaussians) notes() []string {
	return noneOf("training images of", missing(g.means), "no image can be near it")
}

// nearest emits the smallest squared distance of features [N,D] to a class. It is
// ‖x‖² - 2x·μ + ‖μ‖² of features about their mean, in double precision: the terms are
// far larger than their sum.
func (g *classGaussians) nearest(p *Part, features string) string {
	x := g.apply(p, features)
	return p.add(p.total(p.square(x)), p.least(g.distances(p, x)))
}

// present are the means of the classes that have images.
func (g *classGaussians) present() [][]float64 {
	return slices.DeleteFunc(slices.Clone(g.means), func(mean []float64) bool { return mean == nil })
}

// distances emits the squared distances of whitened features to the classes that have
// images, less the features' own squares: [N,K].
func (g *classGaussians) distances(p *Part, x string) string {
	var means, squares []float64 // [D,K] and [K] of the K classes that have images
	dim, present := len(g.origin), g.present()
	for _, mean := range present {
		squares = append(squares, floats.Dot(mean, mean))
	}
	for k := range dim {
		for _, mean := range present {
			means = append(means, -2*mean[k])
		}
	}
	return p.add(p.product(x, p.doubles("means", means, dim, len(present))), p.doubles("squares", squares, len(present)))
}
