package gotorch

// Generator is a source of random numbers with a state of its own. Functions
// that draw take one as an option; without one they use the default generator
// of the device, which ManualSeed seeds. A generator serves tensors of its own
// device only, and dies with its scope.
//
// A run that draws from a Generator is resumed exactly by saving State and
// giving it to SetState of a new one.
type Generator struct {
	s *Scope
	g cGenerator
}

// NewGenerator returns a generator for the device, seeded.
func NewGenerator(s *Scope, d Device, seed uint64) *Generator {
	return s.generator("generator", d, func() (cGenerator, error) { return cNewGenerator(d, seed) })
}

// DefaultGenerator returns the device's own generator, which draws are made from
// if none is given.
func DefaultGenerator(s *Scope, d Device) *Generator {
	return s.generator("default_generator", d, func() (cGenerator, error) { return cDefaultGenerator(d) })
}

func (s *Scope) generator(op string, d Device, f func() (cGenerator, error)) *Generator {
	g := &Generator{s: s}
	run(s, op, []any{d}, func(s *Scope, _ *arguments) error {
		made, err := f()
		if err == nil {
			s.adoptGenerator(made)
			g.g = made
		}
		return err
	})
	return g
}

// Seed starts the generator's sequence anew.
func (g *Generator) Seed(seed uint64) {
	run(g.s, "seed", []any{g}, func(*Scope, *arguments) error { return cGeneratorSeed(g.g, seed) })
}

// State returns all that determines the numbers to come, and nil after an error.
func (g *Generator) State() []byte {
	s := NewScope(NoGrad)
	defer s.Close()
	var state Tensor
	run(g.s, "generator_state", []any{g}, func(*Scope, *arguments) error {
		state = s.one("generator_state", nil, func([]cTensor) (cTensor, error) { return cGeneratorState(g.g) })
		return s.Err()
	})
	return ToSlice[uint8](state)
}

// SetState makes the generator go on as the one did whose State it is given.
// Its length is checked; it fits generators of the same kind of device only.
func (g *Generator) SetState(state []byte) {
	run(g.s, "generator_set_state", []any{g}, func(*Scope, *arguments) error {
		s := NewScope(NoGrad)
		defer s.Close()
		t := FromSlice(s, state, len(state))
		if err := s.Err(); err != nil {
			return err
		}
		return cGeneratorSetState(g.g, t.t)
	})
}

// String names the generator in errors.
func (g *Generator) String() string { return "generator" }

// ManualSeed seeds the default generators of all devices.
func ManualSeed(seed uint64) error { return cManualSeed(seed) }
