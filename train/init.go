package train

import (
	"math/rand/v2"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/models"
)

// initial returns the state dict that a run starts from, with the given values of some
// buffers. The numbers are drawn here, not on the device, so that all devices start
// alike.
func initial(n *models.Network, scales map[string]float64, seed uint64) checkpoint.StateDict {
	return draw(n.Params, scales, random(seed, forWeights, 0))
}

// draw returns what parameters begin with.
func draw(params []models.Param, scales map[string]float64, rng *rand.Rand) checkpoint.StateDict {
	state := checkpoint.StateDict{}
	for _, p := range params {
		from := p.Init
		if scale, ok := scales[p.Name]; ok {
			from = models.Init{Distribution: models.Constant, Scale: scale}
		}
		draw := func() float64 { return from.Scale }
		switch from.Distribution {
		case models.Uniform:
			draw = func() float64 { return from.Scale * (2*rng.Float64() - 1) }
		case models.UpTo:
			draw = func() float64 { return from.Scale * rng.Float64() }
		case models.Normal:
			draw = func() float64 { return from.Scale * rng.NormFloat64() }
		}
		if p.Integer {
			state[p.Name] = integers(p, 0)
			continue
		}
		values := make([]float32, p.Elements())
		for i := range values {
			values[i] = float32(draw())
		}
		state[p.Name] = checkpoint.FromFloat32s(values, p.Shape...)
	}
	return state
}
