package artifact

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// Check reports the first fault of an artifact: metadata that cannot be, operators that
// are not of ai.onnx, a graph that lacks an input, an output or a constant of this package or has it in
// another type or shape, and class names that are not as many as the logits. The
// error is ascood.Invalid and says what is there and what would be right. What the
// graph leaves open of its shapes only a run can tell.
func Check(m *onnx.ModelProto, d *Metadata) error {
	if err := d.validate(); err != nil {
		return ascood.Errorf(ascood.Invalid, "metadata: %w", err)
	}
	if err := checkDomains(m); err != nil {
		return err
	}
	g := m.GetGraph()
	if err := checkInputs(g, d.Preprocess.ImageSize); err != nil {
		return err
	}
	if err := checkOutputs(g, d.Preprocess.ImageSize, d.Score.Needed()); err != nil {
		return err
	}
	if err := checkSettings(g); err != nil {
		return err
	}
	if logits, known := countLogits(g); known && logits != len(d.Classes) {
		return ascood.Errorf(ascood.Invalid, "metadata: classes has %d names, but the graph computes %d logits; want a name for each, in their order", len(d.Classes), logits)
	}
	return nil
}

// checkDomains wants operators of ai.onnx alone: those that the runtime has besides trust what a file says of
// their operands.
func checkDomains(m *onnx.ModelProto) error {
	imports := slices.Clone(m.GetOpsetImport())
	for _, f := range m.GetFunctions() {
		imports = append(imports, f.GetOpsetImport()...)
	}
	for _, of := range imports {
		if of.GetDomain() != "" && of.GetDomain() != "ai.onnx" {
			return ascood.Errorf(ascood.Invalid, "the file has operators of %q; want those of ai.onnx alone", of.GetDomain())
		}
	}
	return nil
}

func checkInputs(g *onnx.GraphProto, size int) error {
	constants := onnx.Constants(g)
	for _, v := range g.GetInput() {
		if v.Name != Pixels && constants[v.Name] == nil {
			return ascood.Errorf(ascood.Invalid, "the graph has an input %q; want %q alone", v.Name, Pixels)
		}
	}
	return checkValue("input", g.GetInput(), onnx.Value(Pixels, onnx.TensorProto_UINT8, "N", size, size, 3))
}

// checkOutputs wants the needed outputs. Others must be as they should if they are
// there.
func checkOutputs(g *onnx.GraphProto, size int, needed []string) error {
	makers := onnx.Makers(g)
	var classes, dim any = "C", "D"
	if l, err := lastLayer(g); err == nil {
		classes, dim = l.classes, l.dim
	}
	for _, want := range []*onnx.ValueInfoProto{
		onnx.Value(Logits, onnx.TensorProto_FLOAT, "N", classes),
		onnx.Value(Feature, onnx.TensorProto_FLOAT, "N", dim),
		onnx.Value(Prediction, onnx.TensorProto_INT64, "N"),
		onnx.Value(Gradient, onnx.TensorProto_FLOAT, "N", 3, size, size),
		onnx.Value(Index, onnx.TensorProto_INT64, "N"),
		onnx.Value(ODIN, onnx.TensorProto_FLOAT, "N"),
		onnx.Value(IODIN, onnx.TensorProto_FLOAT, "N"),
		onnx.Value(MSP, onnx.TensorProto_DOUBLE, "N"),
		onnx.Value(MLS, onnx.TensorProto_DOUBLE, "N"),
		onnx.Value(EBO, onnx.TensorProto_DOUBLE, "N"),
		onnx.Value(OwnScore, onnx.TensorProto_DOUBLE, "N"),
		onnx.Value(ScoreGradient, onnx.TensorProto_FLOAT, "N", 3, size, size),
	} {
		if !slices.Contains(needed, want.Name) && find(g.GetOutput(), want.Name) == nil {
			continue
		}
		if err := checkValue("output", g.GetOutput(), want); err != nil {
			return err
		}
		if makers[want.Name] == nil {
			return ascood.Errorf(ascood.Invalid, "no node of the graph computes the output %q", want.Name)
		}
	}
	return nil
}

// checkValue looks for what is wanted among a graph's inputs or outputs, which
// kind says.
func checkValue(kind string, list []*onnx.ValueInfoProto, want *onnx.ValueInfoProto) error {
	have := find(list, want.Name)
	if have == nil {
		return ascood.Errorf(ascood.Invalid, "the graph has no %s %q; want %s", kind, want.Name, describe(want))
	}
	if !fits(have.GetType().GetTensorType(), want.Type.GetTensorType()) {
		return ascood.Errorf(ascood.Invalid, "the %s %q is %s; want %s", kind, want.Name, describe(have), describe(want))
	}
	return nil
}

// fits compares types and shapes. A size that either leaves open fits any, but for
// the first, the number of images, which must be open, or 1 for a network that takes
// them one by one.
func fits(have, want *onnx.TypeProto_Tensor) bool {
	dims := have.GetShape().GetDim()
	if have.GetElemType() != want.ElemType || len(dims) != len(want.Shape.Dim) {
		return false
	}
	for i, d := range dims {
		size, fixed := sizeOf(d)
		wanted, known := sizeOf(want.Shape.Dim[i])
		if fixed && (i == 0 && size != 1 || known && size != wanted) {
			return false
		}
	}
	return true
}

// checkSettings checks the constants that a run may vary, which the outputs that
// depend on them cannot be without.
func checkSettings(g *onnx.GraphProto) error {
	if !slices.ContainsFunc([]string{Gradient, Index, ODIN, IODIN}, func(name string) bool { return find(g.GetOutput(), name) != nil }) {
		return nil
	}
	constants := onnx.Constants(g)
	temperature, err := scalar(constants, Temperature)
	if err != nil {
		return err
	}
	noise, err := scalar(constants, Noise)
	if err != nil {
		return err
	}
	if err := (Score{Name: ScoreIODIN, Temperature: temperature, Noise: noise}).Validate(); err != nil {
		return ascood.Errorf(ascood.Invalid, "a constant of the graph: %w", err)
	}
	return nil
}

func scalar(constants map[string]*onnx.TensorProto, name string) (float64, error) {
	t := constants[name]
	if t == nil {
		return 0, ascood.Errorf(ascood.Invalid, "the graph has no constant %q; want %v []", name, onnx.TensorProto_FLOAT)
	}
	if len(t.Dims) > 0 {
		return 0, ascood.Errorf(ascood.Invalid, "the constant %q is %v %v; want %v []", name, t.Type(), t.Dims, onnx.TensorProto_FLOAT)
	}
	v, err := t.Float32s()
	if err != nil {
		return 0, ascood.Errorf(ascood.Invalid, "the constant %w", err)
	}
	return float64(v[0]), nil
}

// countLogits returns the number of classes that the graph has, if it tells.
func countLogits(g *onnx.GraphProto) (n int, known bool) {
	if l, err := lastLayer(g); err == nil {
		return l.classes, true
	}
	return sizeOf(find(g.Output, Logits).Type.GetTensorType().Shape.Dim[1])
}

// find returns the description of a value, nil if it is not in the list.
func find(list []*onnx.ValueInfoProto, name string) *onnx.ValueInfoProto {
	i := slices.IndexFunc(list, func(v *onnx.ValueInfoProto) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return list[i]
}

// sizeOf returns a dimension's size, if it is not left open.
func sizeOf(d *onnx.TensorShapeProto_Dimension) (size int, fixed bool) {
	v, fixed := d.Value.(*onnx.TensorShapeProto_Dimension_DimValue)
	if !fixed {
		return 0, false
	}
	return int(v.DimValue), true
}

// describe writes a value's type as in "UINT8 [N,28,28,3]".
func describe(v *onnx.ValueInfoProto) string {
	t := v.GetType().GetTensorType()
	if t.GetShape() == nil {
		return fmt.Sprintf("%v of unknown shape", onnx.TensorProto_DataType(t.GetElemType()))
	}
	var sizes []string
	for _, d := range t.Shape.Dim {
		size := d.GetDimParam()
		if n, fixed := sizeOf(d); fixed {
			size = fmt.Sprint(n)
		} else if size == "" {
			size = "?"
		}
		sizes = append(sizes, size)
	}
	return fmt.Sprintf("%v [%s]", onnx.TensorProto_DataType(t.ElemType), strings.Join(sizes, ","))
}
