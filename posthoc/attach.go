package posthoc

import (
	"fmt"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// BankType is how an artifact holds the features that images are compared with.
type BankType string

const (
	Float32 BankType = "float32"
	Float16 BankType = "float16" // half the size; the features are rounded to 11 bits
)

// BankTypes lists the known ones.
func BankTypes() []BankType { return []BankType{Float32, Float16} }

// mostBank is how large a bank may be in an artifact: a file of more than 2 GiB is no
// ONNX file.
const mostBank = 1 << 30

// CheckBank reports a bank of a method that an artifact could not hold, for a network of so
// many classes, before any image has been looked at.
func CheckBank(m Method, s Sizes, classes int) error {
	if c, ok := m.(*Combined); ok {
		for _, part := range c.Parts {
			if err := CheckBank(part, s, classes); err != nil {
				return err
			}
		}
		return nil
	}
	if _, ok := m.(comparer); !ok {
		return nil
	}
	return holdable(s.Train, max(s.Dim, classes))
}

// holdable reports a matrix of a bank that is too large for an artifact.
func holdable(images, numbers int) error {
	if size := 4 * images * numbers; size > mostBank {
		return ascood.Errorf(ascood.Invalid, "%d images of %d numbers are %d MiB, and a file holds %d MiB of a bank: choose fewer with %s",
			images, numbers, size>>20, mostBank>>20, ascood.Field("bank"))
	}
	return nil
}

// Attach emits a fitted method's score into an artifact's graph as the output of that
// name, float64 [N]. A bank becomes constants of the graph. A graph that lacks what the
// method takes, and a bank that is too large, are errors.
func Attach(b *onnx.Builder, m Method, output string, bank BankType) error {
	logits, err := b.Shape(artifact.Logits)
	if err != nil {
		return err
	}
	p := &Part{Builder: b, shared: map[any]string{}}
	p.value = func(name string, _ ...any) string {
		if b.Maker(name) == nil && err == nil {
			err = ascood.Errorf(ascood.Unsupported, "it works on %s of the network, which the graph has not", name)
		}
		return name
	}
	p.banked = func(name string, _ ...any) string {
		return p.share("bank "+name, func() string {
			held, fault := p.hold(m.(comparer).compared(), name, bank)
			if err == nil {
				err = fault
			}
			return held
		})
	}
	b.Scope(output + "/")
	score := m.Emit(p)
	if err != nil {
		return err
	}
	if score == output || b.Maker(score) == nil {
		return ascood.Errorf(ascood.Internal, "no node computes the score %s", output)
	}
	images := any(logits[0].Size)
	if logits[0].Batch {
		images = onnx.Batch
	}
	b.Output(b.Rename(score, output), "score: higher is more in-distribution", onnx.TensorProto_DOUBLE, images)
	return nil
}

// hold makes what is compared of a bank a constant.
func (p *Part) hold(bank Bank, name string, as BankType) (string, error) {
	var all Matrix
	for block, err := range bank.Blocks() {
		if err != nil {
			return "", err
		}
		m := banked(name, block)
		if err := holdable(bank.Len(), m.Cols); err != nil {
			return "", err
		}
		all = Matrix{append(all.Data, m.Data...), m.Cols}
	}
	shape := []int64{int64(all.Rows()), int64(all.Cols)}
	if name == bankEnergy {
		shape = shape[:1]
	}
	if as == Float16 {
		return p.Op("Cast", []string{p.Tensor(onnx.NewHalves(name, all.Data, shape...))}, onnx.Int("to", int(onnx.TensorProto_FLOAT))), nil
	}
	return p.Tensor(onnx.NewFloats(name, all.Data, shape...)), nil
}

// Describes returns the score of an artifact that a method is, with its settings.
func Describes(name string, m Method) (artifact.Score, error) {
	if m, ok := m.(interface{ score() (artifact.Score, bool) }); ok {
		if s, fixed := m.score(); fixed {
			return s, nil
		}
	}
	settings, err := Settings(m)
	return artifact.Score{Name: artifact.ScoreName(name), Settings: settings}, err
}

// Of returns the method that an artifact's score is, with its name. One that the
// artifact brings along is taken from its output artifact.OwnScore.
func Of(s artifact.Score) (string, Method, error) {
	if err := s.Validate(); err != nil {
		return "", nil, err
	}
	step := perturbation{s.Temperature, s.Noise}
	switch {
	case s.Output() == artifact.OwnScore:
		return string(s.Name), &shipped{settings: s.Settings}, nil
	case s.Name == artifact.ScoreIODIN:
		return "iodin", &IODIN{step}, nil
	case s.Name == artifact.ScoreIODINFast:
		return "iodin_fast", &IODINFast{step}, nil
	case s.Name == artifact.ScoreODIN:
		return "odin", &ODIN{step}, nil
	case s.Name == artifact.ScoreMSP && s.Temperature != 1:
		return "temp_scaling", &TempScaling{Temperature: s.Temperature}, nil
	}
	m, err := New(string(s.Name))
	return string(s.Name), m, err
}

// shipped is the score that an artifact brings along, with all that it has learnt.
type shipped struct{ settings string }

func (*shipped) Needs() Needs    { return Needs{Graph: []string{artifact.OwnScore}} }
func (*shipped) Fit(*Data) error { return nil }

func (*shipped) Emit(p *Part) string {
	return p.Op("Identity", []string{p.value(artifact.OwnScore)})
}

func (m *shipped) MarshalJSON() ([]byte, error) { return []byte(m.settings), nil }

func (m *shipped) UnmarshalJSON(text []byte) error {
	if string(text) != m.settings {
		return fmt.Errorf("they are part of the artifact, which has %s", m.settings)
	}
	return nil
}

// IsShipped reports whether a method is an artifact's own score.
func IsShipped(m Method) bool {
	_, ok := m.(*shipped)
	return ok
}

func (m *IODIN) score() (artifact.Score, bool) {
	return artifact.Score{Name: artifact.ScoreIODIN, Temperature: m.Temperature, Noise: m.Noise}, true
}

func (m *IODINFast) score() (artifact.Score, bool) {
	return artifact.Score{Name: artifact.ScoreIODINFast, Temperature: m.Temperature, Noise: m.Noise}, true
}

func (m *ODIN) score() (artifact.Score, bool) {
	return artifact.Score{Name: artifact.ScoreODIN, Temperature: m.Temperature, Noise: m.Noise}, true
}

func (m *MSP) score() (artifact.Score, bool) {
	return artifact.Score{Name: artifact.ScoreMSP, Temperature: 1}, !m.single
}

func (*MLS) score() (artifact.Score, bool) { return artifact.Score{Name: artifact.ScoreMLS}, true }

func (m *EBO) score() (artifact.Score, bool) {
	return artifact.Score{Name: artifact.ScoreEBO}, m.Temperature == 1
}
