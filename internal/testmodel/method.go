package testmodel

import (
	"testing"

	"github.com/ascood/ascood/posthoc"
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
