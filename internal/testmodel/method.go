package testmodel

import (
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// Method returns a post-hoc method with settings for few images and few features.
func Method(tb testing.TB, name string) posthoc.Method {
	tb.Helper()
	m, err := posthoc.New(name)
	if err != nil {
		tb.Fatal(err)
	}
	switch m := m.(type) {
	case *posthoc.VIM:
		m.Dim = 32
	case *posthoc.Residual:
		m.Dim = 32
	case *posthoc.KNN:
		m.K = 5
	case *posthoc.NNGuide:
		m.K = 10
	case *posthoc.Combined:
		for i, part := range m.Names {
			m.Parts[i] = Method(tb, part)
		}
	}
	return m
}

// HeadOf is the head whose output a method works on, "" if it is for any.
func HeadOf(m posthoc.Method) models.Head {
	for _, head := range models.Heads() {
		for _, output := range head.Outputs() {
			if slices.Contains(m.Needs().Graph, output) {
				return head
			}
		}
	}
	return ""
}

// WithHead is a resnet18_32x32 of ten classes with a trained backbone, that of package
// eval's tests, and a head of random weights.
func WithHead(tb testing.TB, head models.Head) *checkpoint.Checkpoint {
	tb.Helper()
	trained, err := checkpoint.Load(Path("eval", "testdata", "net.safetensors"))
	if err != nil {
		tb.Fatal(err)
	}
	network, err := models.New(models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: head}, 32)
	if err != nil {
		tb.Fatal(err)
	}
	c := &checkpoint.Checkpoint{Model: checkpoint.StateDict{}}
	random := RandomWeights(network)
	for _, p := range network.Params {
		if t := trained.Model[strings.TrimPrefix(p.Name, head.Backbone())]; t != nil {
			c.Model[p.Name] = t
			continue
		}
		values := random[p.Name]
		for i := range values {
			values[i] /= 4 // so that it is not sure of everything
		}
		c.Model[p.Name] = checkpoint.FromFloat32s(values, p.Shape...)
	}
	pre := preprocess.Config{PreSize: 32, ImageSize: 32, Mean: [3]float64{.5, .5, .5}, Std: [3]float64{.5, .25, .2}}
	c.Meta = checkpoint.Meta{Arch: network.Spec.Arch, Head: string(head), Classes: strings.Split("0123456789", ""), Preprocess: &pre}
	return c
}
