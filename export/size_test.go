package export_test

import (
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
)

// TestOtherSize: weights with positions are for images of the size that they say.
func TestOtherSize(t *testing.T) {
	n, err := models.New(models.Spec{Arch: "vit_b_16", Width: 64, Classes: 3, Head: models.HeadLinear}, 32)
	if err != nil {
		t.Fatal(err)
	}
	state := checkpoint.StateDict{}
	for _, p := range n.Params {
		state[p.Name] = checkpoint.FromFloat32s(make([]float32, p.Elements()), p.Shape...)
	}
	saved := &checkpoint.Checkpoint{Model: state, Meta: checkpoint.Meta{Arch: "vit_b_16"}}
	pre := testmodel.Square(48)
	_, _, err = export.FromCheckpoint(saved, export.Options{Preprocess: &pre, Score: artifact.Score{Name: artifact.ScoreMSP, Temperature: 1}})
	if want := "for images of 32x32 pixels alone, not for 48x48"; ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that says %q", err, want)
	}
}
