package kernels_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/kernels"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// TestGroups: convolutions in groups of fewer channels than a block has, and their gradients, are in the blocked layout
// where several groups fill one, and take few multiplications more.
func TestGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	moves := func(m *onnx.ModelProto) int { // between the layouts
		nodes, err := ort.Profile(m, ort.Options{Threads: 1, Own: true}, 1)
		if err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, n := range nodes {
			if strings.HasPrefix(n.Op, "Reorder") {
				count++
			}
		}
		return count
	}
	whole := moves(strided{32, 32, 1, 9, 8, 3, 1, 2, true, false}.build(t, rng))
	for name, c := range map[string]struct {
		group  int
		blocks bool
	}{
		"of four channels":    {8, true},
		"of sixteen channels": {2, true},
		"of two channels":     {16, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := strided{32, 32, c.group, 9, 8, 3, 1, 2, true, false}.build(t, rng)
			exactly(t, rng, m, "Interleave", true)
			if is := moves(m) == whole; is != c.blocks && kernels.Supports(16) {
				t.Errorf("it is in blocks: %v, want %v", is, c.blocks)
			}
		})
	}
	t.Run("of channels that do not fill blocks", func(t *testing.T) {
		exactly(t, rng, strided{24, 24, 6, 9, 8, 3, 1, 2, true, false}.build(t, rng), "Interleave", true)
	})
	t.Run("to more channels", func(t *testing.T) {
		exactly(t, rng, strided{16, 32, 4, 9, 8, 3, 1, 2, true, false}.build(t, rng), "Interleave", true)
	})
}
