package gotorch

import (
	"fmt"
	"math"
	"strings"
)

// Tensor refers to a tensor of a Scope. It is a small value to be copied freely;
// the memory it refers to is the scope's. The zero Tensor refers to none and
// stands for an optional operand that is left out, such as a missing bias.
//
// Methods that read an invalid Tensor return nil, NaN or a zero value; the
// reason is in its scope's Err.
type Tensor struct {
	s *Scope
	t cTensor // nil if the operation that was to make it failed
}

// Valid reports whether t refers to a tensor: the operation that made it
// succeeded and its scope is open.
func (t Tensor) Valid() bool { return t.t != nil && !t.s.isClosed() }

// Err returns the error of t's scope.
func (t Tensor) Err() error {
	if t.s == nil {
		return fmt.Errorf("gotorch: the zero Tensor")
	}
	return t.s.Err()
}

// tensorInfo is what can be asked of a tensor without computing.
type tensorInfo struct {
	shape        []int
	numel        int
	dtype        DType
	device       Device
	requiresGrad bool
	contiguous   bool
	channelsLast bool
}

// info reads what t is; the error of doing so is recorded under the name op.
func (t Tensor) info(op string) (info tensorInfo) {
	run(t.s, op, []any{t}, func(_ *Scope, a *arguments) (err error) {
		info, err = cTensorInfo(t.t)
		return err
	})
	return info
}

// Shape returns the size of each dimension; a scalar has none.
func (t Tensor) Shape() []int { return t.info("shape").shape }

// Dim returns the number of dimensions.
func (t Tensor) Dim() int { return len(t.Shape()) }

// Numel returns the number of elements.
func (t Tensor) Numel() int { return t.info("numel").numel }

// DType returns the type of the elements.
func (t Tensor) DType() DType { return t.info("dtype").dtype }

// Device returns where the tensor lies.
func (t Tensor) Device() Device { return t.info("device").device }

// RequiresGrad reports whether gradients with respect to t, or through it, are
// recorded.
func (t Tensor) RequiresGrad() bool { return t.info("requires_grad").requiresGrad }

// IsContiguous reports whether the elements lie densely in row-major order.
func (t Tensor) IsContiguous() bool { return t.info("is_contiguous").contiguous }

// IsChannelsLast reports whether [N,C,H,W] lies densely in the order N,H,W,C.
func (t Tensor) IsChannelsLast() bool { return t.info("is_contiguous").channelsLast }

// SetRequiresGrad makes t a variable that Grad can differentiate with respect
// to, or stops that, and returns t.
func (t Tensor) SetRequiresGrad(on bool) Tensor {
	run(t.s, "set_requires_grad", []any{t, on}, func(_ *Scope, a *arguments) error {
		return cSetRequiresGrad(t.t, on)
	})
	return t
}

// Item returns the only element of a tensor of one element, and NaN after an
// error. It waits for the device.
func (t Tensor) Item() float64 {
	v := math.NaN()
	run(t.s, "item", []any{t}, func(_ *Scope, a *arguments) (err error) {
		item, err := cItem(t.t)
		if err == nil {
			v = item
		}
		return err
	})
	return v
}

// String returns type, shape and, unless it is the CPU, device: "float32[2,3]".
// It never records an error.
func (t Tensor) String() string {
	if t.s == nil {
		return "none"
	}
	if t.t == nil || !t.s.acquire() {
		return "invalid"
	}
	defer t.s.release()
	info, err := cTensorInfo(t.t)
	if err != nil {
		return "invalid"
	}
	var b strings.Builder
	b.WriteString(info.dtype.String() + "[")
	for i, n := range info.shape {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, n)
	}
	b.WriteByte(']')
	if info.device != CPU {
		b.WriteString(" on " + info.device.String())
	}
	return b.String()
}
