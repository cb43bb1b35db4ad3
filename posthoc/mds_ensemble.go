package posthoc

import (
	"math"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// MDSEnsemble is half of MDS on what a ResNet's stages begin with, the mean f of each of
// the stem's maps, after a step of the image towards the nearest class: with ĉ that class,
// x' = x - ε·sign(∂½d²(f,μ_ĉ)/∂x)/0.5, sign(0) = 1 (Lee et al., "A Simple Unified Framework
// for Detecting Out-of-Distribution Samples and Adversarial Attacks", 2018). OpenOOD has it
// so: of the ensemble of layers that the name promises its settings leave this one.
type MDSEnsemble struct {
	Noise float64 `json:"noise"` // ε ≥ 0

	network network
	classes *classGaussians
}

func init() {
	register("mds_ensemble", func() Method { return &MDSEnsemble{Noise: published.Noise} }, nil)
}

// Needs are the maps, and training images.
func (*MDSEnsemble) Needs() Needs {
	return Needs{Train: true, Graph: []string{artifact.Image, artifact.Stem}}
}

func (*MDSEnsemble) observation(*Data) Observation {
	return Observation{Name: "mds_ensemble", graph: []string{artifact.Stem}, emit: func(p *Part) string {
		return p.meanMap(p.Map(artifact.Stem))
	}}
}

// meanMap averages each of an image's maps, float64 [N,C].
func (p *Part) meanMap(maps string) string {
	return p.Op("ReduceMean", []string{p.double(maps)}, onnx.Ints("axes", 2, 3), onnx.Int("keepdims", 0))
}

func (m *MDSEnsemble) check(Sizes) error {
	if !(m.Noise >= 0 && m.Noise <= math.MaxFloat32) {
		return ascood.Errorf(ascood.Invalid, "noise %v: must be a number that is not negative", m.Noise)
	}
	return nil
}

// Fit learns the classes' distributions.
func (m *MDSEnsemble) Fit(d *Data) (err error) {
	m.network = d.network()
	m.classes, err = fitClassGaussians(d.Observed["mds_ensemble"], d.Classes())
	return err
}

func (m *MDSEnsemble) notes() []string { return m.classes.notes() }

// Emit emits the score.
func (m *MDSEnsemble) Emit(p *Part) string {
	maps := p.Map(artifact.Stem)
	if m.Noise > 0 {
		maps = p.resume(m.network.GraphProto, artifact.Image, m.moved(p), artifact.Stem)[artifact.Stem]
	}
	return p.scaled(m.classes.nearest(p, p.meanMap(maps)), -0.5)
}

// moved emits the image after the step.
func (m *MDSEnsemble) moved(p *Part) string {
	image := p.image(m.network)
	maps := p.resume(m.network.GraphProto, artifact.Image, image, artifact.Stem)[artifact.Stem]
	mean := p.flat(p.Op("GlobalAveragePool", []string{maps}))
	g := p.gradient(m.network, mean, p.single(m.towards(p, p.meanMap(maps))), image)
	const std = 0.5 // whatever the images' is
	step := float32(m.Noise / std)
	up := p.Op("GreaterOrEqual", []string{g, p.Scalar(0)})
	return p.sub(image, p.where(up, p.Scalar(step), p.Scalar(-step)))
}

// towards emits the gradient of ½d² to the nearest class by the feature.
func (m *MDSEnsemble) towards(p *Part, f string) string {
	c, dim, present := m.classes, len(m.classes.origin), m.classes.present()
	x := c.apply(p, f)
	var means []float64
	for _, mean := range present {
		means = append(means, mean...)
	}
	nearest := p.Op("ArgMin", []string{c.distances(p, x)}, onnx.Int("axis", 1), onnx.Int("keepdims", 0))
	from := p.sub(x, p.rows(p.doubles("class", means, len(present), dim), nearest))
	return p.products(from, p.doubles("back", c.transform.RawMatrix().Data, dim, dim))
}
