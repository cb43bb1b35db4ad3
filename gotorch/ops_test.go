package gotorch_test

import (
	"testing"

	"github.com/ascood/ascood/gotorch"
)

// The values are PyTorch 1.13's where they are not plain arithmetic.
func TestOps(t *testing.T) {
	type T = gotorch.Tensor
	s := newScope(t)
	a, b := vector(s, 1, -2, 4), vector(s, 2, 2, -1)
	m := matrix(s, 2, 1, 2, 3, 0.5, -1, 0)
	index := gotorch.FromSlice(s, []int64{2, 0}, 2)
	for _, c := range []struct {
		name  string
		got   T
		shape []int
		want  []float64
	}{
		{"add", a.Add(b), dims(3), []float64{3, 0, 3}},
		{"add broadcasts", m.Add(a), dims(2, 3), []float64{2, 0, 7, 1.5, -3, 4}},
		{"sub", a.Sub(b), dims(3), []float64{-1, -4, 5}},
		{"mul", a.Mul(b), dims(3), []float64{2, -4, -4}},
		{"div", a.Div(b), dims(3), []float64{0.5, -1, -4}},
		{"add scalar", a.AddScalar(0.5), dims(3), []float64{1.5, -1.5, 4.5}},
		{"sub scalar", a.SubScalar(0.5), dims(3), []float64{0.5, -2.5, 3.5}},
		{"mul scalar", a.MulScalar(3), dims(3), []float64{3, -6, 12}},
		{"div scalar", a.DivScalar(4), dims(3), []float64{0.25, -0.5, 1}},
		{"neg", a.Neg(), dims(3), []float64{-1, 2, -4}},
		{"exp", a.Exp(), dims(3), []float64{2.7182818, 0.1353353, 54.59815}},
		{"log", a.Abs().Log(), dims(3), []float64{0, 0.6931472, 1.3862944}},
		{"abs", a.Abs(), dims(3), []float64{1, 2, 4}},
		{"sqrt", a.Abs().Sqrt(), dims(3), []float64{1, 1.4142136, 2}},
		{"sign", a.Sign(), dims(3), []float64{1, -1, 1}},
		{"pow", a.Pow(3), dims(3), []float64{1, -8, 64}},
		{"clamp", a.Clamp(-1, 2), dims(3), []float64{1, -1, 2}},
		{"maximum", a.Maximum(b), dims(3), []float64{2, 2, 4}},
		{"minimum", a.Minimum(b), dims(3), []float64{1, -2, -1}},
		{"eq", a.Eq(vector(s, 1, 2, 4)), dims(3), []float64{1, 0, 1}},
		{"gt", a.Gt(b), dims(3), []float64{0, 0, 1}},
		{"ge", a.Ge(vector(s, 1, 0, 5)), dims(3), []float64{1, 0, 0}},
		{"lt", a.Lt(b), dims(3), []float64{1, 1, 0}},
		{"le", a.Le(vector(s, 1, 0, 3)), dims(3), []float64{1, 1, 0}},
		{"eq scalar", a.EqScalar(4), dims(3), []float64{0, 0, 1}},
		{"gt scalar", a.GtScalar(1), dims(3), []float64{0, 0, 1}},
		{"ge scalar", a.GeScalar(1), dims(3), []float64{1, 0, 1}},
		{"lt scalar", a.LtScalar(1), dims(3), []float64{0, 1, 0}},
		{"le scalar", a.LeScalar(1), dims(3), []float64{1, 1, 0}},
		{"not", a.GtScalar(0).Not(), dims(3), []float64{0, 1, 0}},
		{"where", gotorch.Where(a.GtScalar(0), a, b), dims(3), []float64{1, 2, 4}},
		{"matmul", m.MatMul(m.Transpose(0, 1)), dims(2, 2), []float64{14, -1.5, -1.5, 1.25}},

		{"sum", m.Sum(), dims(), []float64{5.5}},
		{"sum over 0", m.Sum(0), dims(3), []float64{1.5, 1, 3}},
		{"mean", m.Mean(), dims(), []float64{5.5 / 6}},
		{"mean over 1", m.Mean(1), dims(2), []float64{2, -0.5 / 3}},
		{"std", m.Std(), dims(), []float64{1.428869}},
		{"std over 1", m.Std(1), dims(2), []float64{1, 0.7637626}},
		{"max", m.Max(), dims(), []float64{3}},
		{"min", m.Min(), dims(), []float64{-1}},
		{"argmax", m.ArgMax(1), dims(2), []float64{2, 0}},
		{"logsumexp", m.LogSumExp(1), dims(2), []float64{3.4076059, 1.1041306}},
		{"softmax", m.Softmax(1), dims(2, 3), []float64{0.0900306, 0.2447285, 0.6652409, 0.5465494, 0.1219517, 0.331499}},
		{"log softmax", m.LogSoftmax(1), dims(2, 3), []float64{-2.4076059, -1.4076059, -0.4076059, -0.6041306, -2.1041307, -1.1041306}},

		{"view", m.View(3, -1), dims(3, 2), []float64{1, 2, 3, 0.5, -1, 0}},
		{"view as", m.ViewAs(gotorch.Zeros(s, dims(6))), dims(6), []float64{1, 2, 3, 0.5, -1, 0}},
		{"reshape of a transposed", m.Transpose(0, 1).Reshape(6), dims(6), []float64{1, 0.5, 2, -1, 3, 0}},
		{"flatten", m.View(1, 2, 3).Flatten(1, 2), dims(1, 6), []float64{1, 2, 3, 0.5, -1, 0}},
		{"permute", m.View(2, 3, 1).Permute(2, 1, 0), dims(1, 3, 2), []float64{1, 0.5, 2, -1, 3, 0}},
		{"squeeze", a.View(1, 3).Squeeze(0), dims(3), []float64{1, -2, 4}},
		{"unsqueeze", a.Unsqueeze(1), dims(3, 1), []float64{1, -2, 4}},
		{"expand", a.View(1, 3).Expand(2, -1), dims(2, 3), []float64{1, -2, 4, 1, -2, 4}},
		{"narrow", m.Narrow(1, 1, 2), dims(2, 2), []float64{2, 3, -1, 0}},
		{"select", m.Select(0, 1), dims(3), []float64{0.5, -1, 0}},
		{"index select", m.IndexSelect(1, index), dims(2, 2), []float64{3, 1, 0, 0.5}},
		{"masked select", m.MaskedSelect(m.GtScalar(0.5)), dims(3), []float64{1, 2, 3}},
		{"gather", m.Gather(1, index.View(2, 1)), dims(2, 1), []float64{3, 0.5}},
		{"scatter", m.Scatter(1, index.View(2, 1), matrix(s, 2, 8, 9)), dims(2, 3), []float64{1, 2, 8, 9, -1, 0}},
		{"scatter scalar", m.ScatterScalar(1, index.View(2, 1), 7), dims(2, 3), []float64{1, 2, 7, 7, -1, 0}},
		{"cat", gotorch.Cat([]T{a, b}, 0), dims(6), []float64{1, -2, 4, 2, 2, -1}},
		{"stack", gotorch.Stack([]T{a, b}, 1), dims(3, 2), []float64{1, 2, -2, 2, 4, -1}},
		{"split, second part", m.Split(1, 1, 2)[1], dims(2, 2), []float64{2, 3, -1, 0}},
		{"zeros like", gotorch.ZerosLike(a), dims(3), []float64{0, 0, 0}},
		{"ones like", gotorch.OnesLike(a), dims(3), []float64{1, 1, 1}},
		{"any operator by name", gotorch.Call(nil, "add.Tensor", a, b, 2.0), dims(3), []float64{5, 2, 2}},
	} {
		wantTensor(t, c.name, c.got, c.shape, c.want...)
	}
}

func TestOpsWithIndices(t *testing.T) {
	s := newScope(t)
	m := matrix(s, 2, 1, 3, 2, 0.5, -1, 0)
	for _, c := range []struct {
		name            string
		op              func() (values, indices gotorch.Tensor)
		shape           []int
		values, indices []float64
	}{
		{"max", func() (_, _ gotorch.Tensor) { return m.MaxDim(1) }, dims(2), []float64{3, 0.5}, []float64{1, 0}},
		{"min", func() (_, _ gotorch.Tensor) { return m.MinDim(0) }, dims(3), []float64{0.5, -1, 0}, []float64{1, 1, 1}},
		{"top 2", func() (_, _ gotorch.Tensor) { return m.TopK(2, 1, true) }, dims(2, 2), []float64{3, 2, 0.5, 0}, []float64{1, 2, 0, 2}},
		{"least", func() (_, _ gotorch.Tensor) { return m.TopK(1, 1, false) }, dims(2, 1), []float64{1, -1}, []float64{0, 1}},
		{"sort", func() (_, _ gotorch.Tensor) { return m.Sort(1, false) }, dims(2, 3), []float64{1, 2, 3, -1, 0, 0.5}, []float64{0, 2, 1, 1, 2, 0}},
		{"sort descending", func() (_, _ gotorch.Tensor) { return m.Sort(1, true) }, dims(2, 3), []float64{3, 2, 1, 0.5, 0, -1}, []float64{1, 2, 0, 0, 2, 1}},
	} {
		values, indices := c.op()
		wantTensor(t, c.name, values, c.shape, c.values...)
		wantTensor(t, c.name+" indices", indices, c.shape, c.indices...)
		if indices.DType() != gotorch.Int64 {
			t.Errorf("%s: indices are %v", c.name, indices.DType())
		}
	}
}

func TestInPlace(t *testing.T) {
	s := newScope(t)
	for _, c := range []struct {
		name string
		op   func(x gotorch.Tensor) gotorch.Tensor
		want []float64
	}{
		{"copy", func(x gotorch.Tensor) gotorch.Tensor { return x.CopyI(gotorch.FromSlice(s, []int64{7, 8}, 2)) }, []float64{7, 8}},
		{"zero", func(x gotorch.Tensor) gotorch.Tensor { return x.ZeroI() }, []float64{0, 0}},
		{"fill", func(x gotorch.Tensor) gotorch.Tensor { return x.FillI(3) }, []float64{3, 3}},
		{"add", func(x gotorch.Tensor) gotorch.Tensor { return x.AddI(x, 0.5) }, []float64{1.5, 3}},
		{"add scalar", func(x gotorch.Tensor) gotorch.Tensor { return x.AddScalarI(-1) }, []float64{0, 1}},
		{"mul", func(x gotorch.Tensor) gotorch.Tensor { return x.MulI(x) }, []float64{1, 4}},
		{"mul scalar", func(x gotorch.Tensor) gotorch.Tensor { return x.MulScalarI(-2) }, []float64{-2, -4}},
	} {
		x := vector(s, 1, 2)
		before := gotorch.LiveHandles()
		if got := c.op(x); got != x {
			t.Errorf("%s returns another tensor", c.name)
		}
		if c.name != "copy" && gotorch.LiveHandles() != before {
			t.Errorf("%s leaves a handle behind", c.name)
		}
		wantTensor(t, c.name, x, dims(2), c.want...)
	}
}

func TestMemoryLayout(t *testing.T) {
	s := newScope(t)
	x := gotorch.Arange(s, 0, 24).View(1, 2, 3, 4)
	last := x.ChannelsLast()
	if !x.IsContiguous() || x.IsChannelsLast() || last.IsContiguous() || !last.IsChannelsLast() {
		t.Errorf("contiguous, channels last: %v %v, after ChannelsLast %v %v",
			x.IsContiguous(), x.IsChannelsLast(), last.IsContiguous(), last.IsChannelsLast())
	}
	if !last.Contiguous().IsContiguous() {
		t.Error("Contiguous is not")
	}
	values := gotorch.ToSlice[int64](last)
	for i, v := range values {
		if v != int64(i) {
			t.Fatalf("ToSlice of channels last: %v, want row-major order", values)
		}
	}
}

func TestSharedMemory(t *testing.T) {
	s := newScope(t)
	x := matrix(s, 2, 1, 2, 3, 4)
	x.View(4).Narrow(0, 0, 1).FillI(9)
	x.Detach().Select(0, 1).FillI(8)
	x.Clone().ZeroI()
	wantTensor(t, "x", x, dims(2, 2), 9, 2, 8, 8)
}
