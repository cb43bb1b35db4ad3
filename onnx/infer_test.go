package onnx

import (
	"fmt"
	"strings"
	"testing"
)

// operand is what an inferred node takes: a Shape, or the values of a constant as
// []int or []float32.
type operand any

func constant(v ...int) operand { return v }

// build makes a node of one operator on operands.
func build(b *Builder, op string, outputs int, in []operand, attrs ...Attr) []string {
	var names []string
	for i, o := range in {
		switch o := o.(type) {
		case Shape:
			var dims []any
			for _, d := range o {
				if d.Batch {
					dims = append(dims, d.String())
				} else {
					dims = append(dims, d.Size)
				}
			}
			names = append(names, b.Input(fmt.Sprint("x", i), "", TensorProto_FLOAT, dims...))
		case []int:
			names = append(names, b.Int64s(o...))
		case []float32:
			names = append(names, b.Const([]int{len(o)}, o...))
		case nil:
			names = append(names, "")
		}
	}
	return b.Ops(op, outputs, names, attrs...)
}

type inferCase struct {
	op    string
	in    []operand
	attrs []Attr
	want  string // shapes, or a part of the error after "!"
}

func of(in ...operand) []operand { return in }

var inferCases = []inferCase{
	{"Relu", of(Images(3, 4)), nil, "[N,3,4]"},
	{"Add", of(Images(3, 4), Static(3, 1)), nil, "[N,3,4]"},
	{"Add", of(Images(3), Images(4)), nil, "!do not go together"},
	{"Where", of(Images(1, 4), Static(3, 1), Static()), nil, "[N,3,4]"},
	{"Conv", of(Images(4, 9, 8), Static(6, 2, 3, 5)), []Attr{Int("group", 2), Ints("strides", 2, 1), Ints("dilations", 1, 2), Ints("pads", 1, 4, 0, 4)}, "[N,6,4,8]"},
	{"Conv", of(Images(4, 9), Static(6, 4, 3)), nil, "[N,6,7]"},
	{"Conv", of(Images(4, 9, 8), Static(6, 3, 3, 3)), nil, "!do not fit"},
	{"Conv", of(Images(4, 2, 2), Static(6, 4, 3, 3)), nil, "!cannot slide"},
	{"Conv", of(Images(4, 9, 8), Static(6, 4, 3, 3)), []Attr{String("auto_pad", "SAME_UPPER")}, "!auto_pad is SAME_UPPER"},
	{"Conv", of(Images(4, 9, 8), Static(6, 4, 3, 3)), []Attr{Ints("strides", 2)}, "!do not go together"},
	{"Conv", of(Images(4, 9, 8), Static(6, 4, 3, 3)), []Attr{Ints("strides", 0, 1)}, "!must be between 1 and"},
	{"ConvTranspose", of(Images(6, 4, 4), Static(6, 2, 3, 3)), []Attr{Int("group", 2), Ints("strides", 2, 2), Ints("pads", 1, 1, 1, 1), Ints("output_padding", 1, 0)}, "[N,4,8,7]"},
	{"Conv", of(Images(4, 9, 8), Static(6, 4, 3, 3)), []Attr{Ints("kernel_shape", 2, 2)}, "!do not fit"},
	{"Conv", of(Images(4, 9, 8), Static(6, 4, 3, 3)), []Attr{Ints("pads", 1<<40, 0, 0, 0)}, "!pads"},
	{"BatchNormalization", of(Images(4, 2), Static(4), Static(4), Static(4), Static(4)), nil, "[N,4,2]"},
	{"BatchNormalization", of(Images(4, 2), Static(4), Static(4), Static(4), Static(1)), nil, "!for each channel"},
	{"BatchNormalization", of(Images(), Static(4), Static(4), Static(4), Static(4)), nil, "!at least 2"},
	{"MaxPool", of(Images(4, 7, 7)), []Attr{Ints("kernel_shape", 2, 2), Ints("strides", 2, 2)}, "[N,4,3,3]"},
	{"MaxPool", of(Images(4, 7, 7)), []Attr{Ints("kernel_shape", 2, 2), Ints("strides", 2, 2), Int("ceil_mode", 1)}, "[N,4,4,4]"},
	{"AveragePool", of(Images(4, 7, 7)), nil, "!do not go together"},
	{"GlobalAveragePool", of(Images(4, 7, 7)), nil, "[N,4,1,1]"},
	{"Gemm", of(Images(5), Static(7, 5)), []Attr{Int("transB", 1)}, "[N,7]"},
	{"Gemm", of(Static(5, 2), Static(5, 7)), []Attr{Int("transA", 1)}, "[2,7]"},
	{"Gemm", of(Images(5), Static(7, 5)), nil, "!cannot be multiplied"},
	{"MatMul", of(Images(8, 49, 32), Images(8, 32, 49)), nil, "[N,8,49,49]"},
	{"MatMul", of(Images(49, 32), Static(32, 7)), nil, "[N,49,7]"},
	{"MatMul", of(Images(49, 32), Static(31, 7)), nil, "!cannot be multiplied"},
	{"Einsum", of(Images(4, 5), Static(5, 6)), []Attr{String("equation", "b i d, d o -> o b i")}, "[6,N,4]"},
	{"Einsum", of(Images(4), Static(4, 6)), []Attr{String("equation", "ij,jk")}, "[N,6]"},
	{"Einsum", of(Images(4), Static(4, 6)), []Attr{String("equation", "...j,jk->...k")}, "!a letter of its own"},
	{"Einsum", of(Static(4, 4)), []Attr{String("equation", "ii->i")}, "!a letter of its own"},
	{"Einsum", of(Images(4)), []Attr{String("equation", "ij,jk->ik")}, "!2 operands"},
	{"ReduceMean", of(Images(3, 4)), []Attr{Ints("axes", -1)}, "[N,3,1]"},
	{"ReduceMean", of(Images(3, 4)), []Attr{Ints("axes", 1, 2), Int("keepdims", 0)}, "[N]"},
	{"ReduceMean", of(Images(3, 4)), nil, "[1,1,1]"},
	{"ReduceMean", of(Images(3, 4)), []Attr{Ints("axes", 1, -2)}, "!name one twice"},
	{"ReduceMean", of(Images(3, 4)), []Attr{Ints("axes", 3)}, "!no axis 3"},
	{"ReduceSum", of(Images(3, 4), constant(2)), []Attr{Int("keepdims", 0)}, "[N,3]"},
	{"ReduceSum", of(Images(3, 4)), []Attr{Int("noop_with_empty_axes", 1)}, "[N,3,4]"},
	{"ArgMax", of(Images(3)), []Attr{Int("axis", 1), Int("keepdims", 0)}, "[N]"},
	{"Reshape", of(Images(6, 4), constant(-1, 3, 8)), nil, "[N,3,8]"},
	{"Reshape", of(Images(6, 4), constant(-1, 8)), nil, "[3*N,8]"},
	{"Reshape", of(Images(6, 4), constant(0, -1)), nil, "[N,24]"},
	{"Reshape", of(Images(6, 4), constant(2, -1)), nil, "[2,12*N]"},
	{"Reshape", of(Images(6, 4), constant(-1, 5)), nil, "!cannot take the shape"},
	{"Reshape", of(Images(6, 4), constant(1, 24)), nil, "!cannot take the shape"},
	{"Reshape", of(Images(6, 4), Static(2)), nil, "!no initializer"},
	{"Flatten", of(Images(6, 4)), nil, "[N,24]"},
	{"Flatten", of(Images(6, 4)), []Attr{Int("axis", 2)}, "[6*N,4]"},
	{"Squeeze", of(Images(1, 4, 1), constant(1, -1)), nil, "[N,4]"},
	{"Squeeze", of(Images(1, 4, 1)), nil, "[N,4]"},
	{"Squeeze", of(Images(4), constant(1)), nil, "!is not 1"},
	{"Unsqueeze", of(Images(4), constant(0, -1)), nil, "[1,N,4,1]"},
	{"Transpose", of(Images(4, 5)), []Attr{Ints("perm", 1, 2, 0)}, "[4,5,N]"},
	{"Transpose", of(Images(4, 5)), nil, "[5,4,N]"},
	{"Transpose", of(Images(4, 5)), []Attr{Ints("perm", 1, 1, 0)}, "!no permutation"},
	{"Expand", of(Images(1, 5), constant(1, 3, 1)), nil, "[N,3,5]"},
	{"Tile", of(Images(2), constant(1, 3)), nil, "[N,6]"},
	{"Concat", of(Images(2, 5), Images(3, 5)), []Attr{Int("axis", 1)}, "[N,5,5]"},
	{"Concat", of(Images(2, 5), Static(1, 3, 5)), []Attr{Int("axis", 1)}, "!do not go together"},
	{"Split", of(Images(6), constant(2, 4)), []Attr{Int("axis", -1)}, "[N,2] [N,4]"},
	{"Split", of(Images(6)), []Attr{Int("axis", 1)}, "[N,3] [N,3]"},
	{"Split", of(Images(6), constant(2, 5)), []Attr{Int("axis", 1)}, "!cannot be split into"},
	{"Split", of(Images(6)), nil, "!cannot be split into"},
	{"Slice", of(Images(9), constant(1), constant(8), constant(1), constant(3)), nil, "[N,3]"},
	{"Slice", of(Images(9), constant(-1), constant(-1<<40), constant(-1), constant(-1)), nil, "[N,9]"},
	{"Slice", of(Images(9), constant(7), constant(2), constant(1), constant(-2)), nil, "[N,3]"},
	{"Slice", of(Images(9), constant(5), constant(2), constant(1)), nil, "[N,0]"},
	{"Slice", of(Images(9), constant(0), constant(1<<40), constant(0)), nil, "[N,9]"},
	{"Slice", of(Images(9), constant(0), constant(1), constant(0)), nil, "!some of the images"},
	{"Slice", of(Images(9), constant(0), constant(1), constant(1), constant(0)), nil, "!step is 0"},
	{"Gather", of(Images(9), constant(3, 1)), []Attr{Int("axis", 1)}, "[N,2]"},
	{"GatherND", of(Static(5, 4, 3), Static(7, 2)), nil, "[7,3]"},
	{"GatherND", of(Images(4, 3), Images(1)), []Attr{Int("batch_dims", 1)}, "[N,3]"},
	{"GatherND", of(Static(5, 4), Static(7, 3)), nil, "!cannot be of"},
	{"Pad", of(Images(4, 4), constant(0, 1, -1, 0, 2, 0)), nil, "[N,7,3]"},
	{"Pad", of(Images(4), constant(1, 0, 0, 0)), nil, "!add images"},
	{"DepthToSpace", of(Images(8, 3, 3)), []Attr{Int("blocksize", 2)}, "[N,2,6,6]"},
	{"DepthToSpace", of(Images(6, 3, 3)), []Attr{Int("blocksize", 2)}, "!cannot be made"},
	{"SpaceToDepth", of(Images(2, 6, 6)), []Attr{Int("blocksize", 2)}, "[N,8,3,3]"},
	{"SpaceToDepth", of(Images(2, 5, 6)), []Attr{Int("blocksize", 2)}, "!cannot be cut"},
	{"Resize", of(Images(2, 3, 3), nil, []float32{1, 1, 2, 2.5}), nil, "[N,2,6,7]"},
	{"Resize", of(Images(2, 3, 3), nil, nil, constant(1, 2, 6, 7)), nil, "[N,2,6,7]"},
	{"Resize", of(Images(2, 3, 3), nil, nil, Static(4)), nil, "!no initializer"},
	{"OneHot", of(Images(), constant(5), []float32{0, 1}), nil, "[N,5]"},
	{"GridSample", of(Images(2, 3, 3)), nil, "!GridSample makes are not known"},
}

func TestInfer(t *testing.T) {
	for _, c := range inferCases {
		t.Run(fmt.Sprint(c.op, " ", c.in, " ", c.want), func(t *testing.T) {
			outputs := max(1, strings.Count(c.want, " ")+1)
			if strings.HasPrefix(c.want, "!") {
				outputs = 1
				if c.op == "Split" {
					outputs = 2
				}
			}
			b := NewBuilder("test")
			var got []string
			for _, name := range build(b, c.op, outputs, c.in, c.attrs...) {
				s, err := b.Shape(name)
				if err != nil {
					want, wrong := strings.CutPrefix(c.want, "!")
					if !wrong || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.op) {
						t.Errorf("the error is %q, want %s", err, c.want)
					}
					return
				}
				got = append(got, s.String())
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("the shapes are %v, want %s", got, c.want)
			}
		})
	}
}

// TestInferFollowsGraphs: shapes are found through other nodes, also those that hold
// shapes, and what the graph says of a value comes first.
func TestInferFollowsGraphs(t *testing.T) {
	b := NewBuilder("test")
	x := b.Input("x", "", TensorProto_FLOAT, "N", 6)
	flat := b.Op("Reshape", []string{x, b.Int64s(-1)})
	zeros := b.Op("ConstantOfShape", []string{b.Op("Shape", []string{flat})})
	y := b.Rename(b.Op("Reshape", []string{zeros, b.Int64s(-1, 2, 3)}), "y")
	if s, err := b.Shape(y); err != nil || s.String() != "[N,2,3]" {
		t.Errorf("the shape is %v (%v)", s, err)
	}
	odd := b.Op("Odd", []string{y})
	b.Output(odd, "", TensorProto_FLOAT, "N", 7)
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Extend(m.Graph).Shape(odd); err != nil || s.String() != "[N,7]" {
		t.Errorf("the shape that is said is %v (%v)", s, err)
	}
	if s, err := b.Shape("nothing"); err == nil {
		t.Errorf("the shape of nothing is %v", s)
	}
}

// TestInferEndsInCircles has a node that takes what it makes.
func TestInferEndsInCircles(t *testing.T) {
	b := Extend(&GraphProto{Node: []*NodeProto{
		{Name: "a", OpType: "Relu", Input: []string{"y"}, Output: []string{"x"}},
		{Name: "b", OpType: "Relu", Input: []string{"x"}, Output: []string{"y"}},
	}})
	if s, err := b.Shape("x"); err == nil || !strings.Contains(err.Error(), "computed from itself") {
		t.Errorf("the shape is %v, the error %v", s, err)
	}
}
