package export_test

import (
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
)

// TestWeightsAreHeldOnce counts the initializers, which the forward passes and the
// gradient share.
func TestWeightsAreHeldOnce(t *testing.T) {
	_, m, values := tiny{"", 4, func(w *writing, x string) string { return w.conv(x, 3, true) }, nil, 0}.open(t)
	for name := range values {
		count := 0
		for _, init := range m.Graph.Initializer {
			if strings.HasPrefix(init.Name, name) {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%d initializers hold %s", count, name)
		}
	}
}

// TestSizeOfImages: a graph takes images of one size.
func TestSizeOfImages(t *testing.T) {
	m, _ := tiny{"", 4, nil, nil, 0}.model(t)
	_, err := export.Build(export.Named(m), testmodel.Square(5), artifact.Score{Temperature: 1}, artifact.CPU)
	if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), "image_size 5: the network takes images of [N,3,4,4]") {
		t.Errorf("error %v", err)
	}
}
