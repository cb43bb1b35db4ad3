package models

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ascood/ascood/onnx"
)

// module writes a module of a network, as PyTorch's nn.Module is one. Its methods add
// operators to the graph; those with a name make a module of that name inside it, whose
// parameters have its path in the state dict. Values are known by their names in the
// graph, maps of channels are [N,C,H,W].
//
// What does not go together, as images that are too small, is an error that New
// returns; what is written after it does not matter.
type module struct {
	*writer
	path string // before the names of parameters; ends in a dot if it is not empty
}

// writer is a network on its way.
type writer struct {
	b      *onnx.Builder
	params []Param
	initial
	err error // the first
}

// in returns the module of a name inside; a path names one inside of that.
func (m module) in(name string) module { return module{m.writer, m.path + name + "."} }

// param adds a parameter of the module: PyTorch lists a module's own ones before those
// of modules inside.
func (m module) param(name string, init Init, shape ...int) string {
	m.params = append(m.params, Param{Name: m.path + name, Shape: shape, Trainable: true, Init: init})
	return m.b.Tensor(onnx.NewTensor(m.path+name, onnx.TensorProto_FLOAT, nil, dims(shape)...))
}

// buffer adds a tensor that the optimiser leaves as it is.
func (m module) buffer(name string, init Init, shape ...int) string {
	value := m.param(name, init, shape...)
	m.params[len(m.params)-1].Trainable = false
	return value
}

// counter adds the number of batches that a module has seen, which is in no graph.
func (m module) counter(name string) {
	m.params = append(m.params, Param{Name: m.path + name, Shape: []int{}, Integer: true})
}

// integers adds a buffer that is always the same.
func (m module) integers(name string, values []int) string {
	p := Param{Name: m.path + name, Shape: []int{len(values)}, Integer: true}
	for _, v := range values {
		p.Values = append(p.Values, int64(v))
	}
	m.params = append(m.params, p)
	return m.b.Tensor(onnx.NewInts(p.Name, p.Values, int64(len(values))))
}

// op adds an operator of one output.
func (m module) op(op string, inputs []string, attrs ...onnx.Attr) string {
	return m.ops(op, 1, inputs, attrs...)[0]
}

// ops adds an operator of so many outputs.
func (m module) ops(op string, outputs int, inputs []string, attrs ...onnx.Attr) []string {
	m.b.Scope(onnx.Prefix + strings.TrimSuffix(m.path, ".") + "/")
	values := m.b.Ops(op, outputs, inputs, attrs...)
	_, err := m.b.Shape(values[0])
	m.note(err)
	return values
}

// dim is a dimension of a value, 1 after an error.
func (m module) dim(value string, axis int) int {
	s, err := m.b.Shape(value)
	if err == nil {
		axis, err = s.Axis(axis)
	}
	if m.note(err); err != nil {
		return 1
	}
	return s[axis].Size
}

// refuse is for what a network cannot take.
func (m module) refuse(format string, args ...any) { m.note(fmt.Errorf(format, args...)) }

func (m module) note(err error) {
	if m.err == nil {
		m.err = err
	}
}

// conv are the settings of a convolution, equal in both directions.
type conv struct {
	out, kernel, stride, padding int
	groups                       int // 0 is 1
	bias                         bool
}

// conv convolves maps.
func (m module) conv(name string, x string, c conv) string {
	l, group := m.in(name), max(c.groups, 1)
	in, area := m.dim(x, 1)/group, c.kernel*c.kernel
	inputs := []string{x, l.param("weight", m.initial.conv(in*area, c.out*area/group), c.out, in, c.kernel, c.kernel)}
	if c.bias {
		inputs = append(inputs, l.param("bias", m.initial.bias(in*area, 0), c.out))
	}
	attrs := window(c.kernel, c.stride, c.padding)
	if group > 1 {
		attrs = append(attrs, onnx.Int("group", group))
	}
	return l.op("Conv", inputs, attrs...)
}

// norm normalises each channel (BatchNorm2d).
func (m module) norm(name string, x string) string {
	l, channels := m.in(name), m.dim(x, 1)
	zero, one := Init{Constant, 0}, Init{Constant, 1}
	inputs := []string{x, l.param("weight", one, channels), l.param("bias", zero, channels),
		l.buffer("running_mean", zero, channels), l.buffer("running_var", one, channels)}
	l.counter("num_batches_tracked")
	return l.op("BatchNormalization", inputs, onnx.Float("epsilon", 1e-5), onnx.Float("momentum", 0.9))
}

// linear is x·Wᵀ + b of rows [N,in].
func (m module) linear(name string, x string, out int) string {
	l, in := m.in(name), m.dim(x, 1)
	weight := l.param("weight", m.dense(in, out), out, in)
	return l.op("Gemm", []string{x, weight, l.param("bias", m.bias(in, out), out)}, transB)
}

// transB says that weights are [out,in], as PyTorch has them.
var transB = onnx.Int("transB", 1)

func (m module) relu(x string) string { return m.op("Relu", []string{x}) }

func (m module) add(x, y string) string { return m.op("Add", []string{x, y}) }

// index is the name of a module in an nn.Sequential.
func index(i int) string { return strconv.Itoa(i) }

// flatten makes rows of maps.
func (m module) flatten(x string) string { return m.op("Flatten", []string{x}) }

// maxPool takes the maximum over square windows; of equal values the first in row-major
// order is the maximum, which matters to the gradient alone.
func (m module) maxPool(x string, kernel, stride, padding int) string {
	return m.op("MaxPool", []string{x}, window(kernel, stride, padding)...)
}

// average averages each map: [N,C].
func (m module) average(x string) string {
	return m.flatten(m.op("GlobalAveragePool", []string{x}))
}

// tap gives a value a name under which others look for it (onnx.Tap).
func (m module) tap(name, x string) string { return m.b.Rename(x, onnx.Tap(name)) }

// window is the attributes of an operator that slides a square window.
func window(kernel, stride, padding int) []onnx.Attr {
	return []onnx.Attr{
		onnx.Ints("kernel_shape", kernel, kernel),
		onnx.Ints("strides", stride, stride),
		onnx.Ints("pads", padding, padding, padding, padding),
	}
}
