package ioodin_test

import (
	"math"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
)

// TestScoreDoesNotDependOnBatch scores images together, alone and beside others. The
// energy is of double precision, of which ONNX Runtime rounds the last digit by where a
// number lies in memory.
func TestScoreDoesNotDependOnBatch(t *testing.T) {
	for _, method := range artifact.ScoreNames() {
		t.Run(string(method), func(t *testing.T) {
			m := openRandom(t, models.Spec{Arch: "resnet18_32x32", Width: 8}, 32, method, 2)
			images := make([][]uint8, 24)
			for i := range images {
				images[i] = testmodel.RandomCrop(32)
			}
			together, err := m.Score(t.Context(), images)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{1, 2, 3, 5, 8, 12} {
				for i := 0; i+size <= len(images); i += size {
					some, err := m.Score(t.Context(), images[i:i+size])
					if err != nil {
						t.Fatal(err)
					}
					for k, r := range some {
						want := together[i+k]
						if method == artifact.ScoreEBO && math.Abs(r.Score-want.Score) <= 0x1p-50*math.Abs(want.Score) {
							want.Score = r.Score
						}
						if r != want {
							t.Errorf("image %d scores %v in a batch of %d, %v in one of 24", i+k, r, size, together[i+k])
						}
					}
				}
			}
		})
	}
}
