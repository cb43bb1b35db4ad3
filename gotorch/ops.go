package gotorch

// Element by element, with PyTorch's broadcasting and promotion of types. Scalars
// are floats: as in PyTorch, an integer tensor plus 1.0 is float32.

// Add returns t + other.
func (t Tensor) Add(other Tensor) Tensor { return Call(nil, "add.Tensor", t, other) }

// Sub returns t - other.
func (t Tensor) Sub(other Tensor) Tensor { return Call(nil, "sub.Tensor", t, other) }

// Mul returns t · other, element by element.
func (t Tensor) Mul(other Tensor) Tensor { return Call(nil, "mul.Tensor", t, other) }

// Div returns t / other.
func (t Tensor) Div(other Tensor) Tensor { return Call(nil, "div.Tensor", t, other) }

// AddScalar returns t + v.
func (t Tensor) AddScalar(v float64) Tensor { return Call(nil, "add.Scalar", t, v) }

// SubScalar returns t - v.
func (t Tensor) SubScalar(v float64) Tensor { return Call(nil, "sub.Scalar", t, v) }

// MulScalar returns t · v.
func (t Tensor) MulScalar(v float64) Tensor { return Call(nil, "mul.Scalar", t, v) }

// DivScalar returns t / v.
func (t Tensor) DivScalar(v float64) Tensor { return Call(nil, "div.Scalar", t, v) }

// Neg returns -t.
func (t Tensor) Neg() Tensor { return Call(nil, "neg", t) }

// Exp returns e to the power of t.
func (t Tensor) Exp() Tensor { return Call(nil, "exp", t) }

// Log returns the natural logarithm.
func (t Tensor) Log() Tensor { return Call(nil, "log", t) }

// Abs returns the magnitude.
func (t Tensor) Abs() Tensor { return Call(nil, "abs", t) }

// Sqrt returns the square root.
func (t Tensor) Sqrt() Tensor { return Call(nil, "sqrt", t) }

// Sign returns -1, 0 or 1.
func (t Tensor) Sign() Tensor { return Call(nil, "sign", t) }

// Pow returns t to the power of v.
func (t Tensor) Pow(v float64) Tensor { return Call(nil, "pow.Tensor_Scalar", t, v) }

// Clamp limits the values to [low,high].
func (t Tensor) Clamp(low, high float64) Tensor { return Call(nil, "clamp", t, low, high) }

// Eq returns where t = other, as bool.
func (t Tensor) Eq(other Tensor) Tensor { return Call(nil, "eq.Tensor", t, other) }

// Gt returns where t > other, as bool.
func (t Tensor) Gt(other Tensor) Tensor { return Call(nil, "gt.Tensor", t, other) }

// Ge returns where t >= other, as bool.
func (t Tensor) Ge(other Tensor) Tensor { return Call(nil, "ge.Tensor", t, other) }

// Lt returns where t < other, as bool.
func (t Tensor) Lt(other Tensor) Tensor { return Call(nil, "lt.Tensor", t, other) }

// Le returns where t <= other, as bool.
func (t Tensor) Le(other Tensor) Tensor { return Call(nil, "le.Tensor", t, other) }

// EqScalar returns where t = v, as bool.
func (t Tensor) EqScalar(v float64) Tensor { return Call(nil, "eq.Scalar", t, v) }

// GtScalar returns where t > v, as bool.
func (t Tensor) GtScalar(v float64) Tensor { return Call(nil, "gt.Scalar", t, v) }

// GeScalar returns where t >= v, as bool.
func (t Tensor) GeScalar(v float64) Tensor { return Call(nil, "ge.Scalar", t, v) }

// LtScalar returns where t < v, as bool.
func (t Tensor) LtScalar(v float64) Tensor { return Call(nil, "lt.Scalar", t, v) }

// LeScalar returns where t <= v, as bool.
func (t Tensor) LeScalar(v float64) Tensor { return Call(nil, "le.Scalar", t, v) }

// Not returns the logical negation, as bool.
func (t Tensor) Not() Tensor { return Call(nil, "logical_not", t) }

// Maximum returns the larger of t and other.
func (t Tensor) Maximum(other Tensor) Tensor { return Call(nil, "maximum", t, other) }

// Minimum returns the smaller of t and other.
func (t Tensor) Minimum(other Tensor) Tensor { return Call(nil, "minimum", t, other) }

// Where takes a where the condition holds and b elsewhere.
func Where(condition, a, b Tensor) Tensor { return Call(nil, "where.self", condition, a, b) }

// MatMul returns the matrix product.
func (t Tensor) MatMul(other Tensor) Tensor { return Call(nil, "matmul", t, other) }

// In place: the name ends in I where PyTorch's ends in an underscore. Each
// returns t. A tensor that requires gradients may change in a NoGrad scope only:
// NewScope(NoGrad).Keep(t).AddI(…).

// CopyI overwrites t with the values of other, converted to t's type.
func (t Tensor) CopyI(other Tensor) Tensor { return inPlace("copy_", t, other) }

// ZeroI sets t to 0.
func (t Tensor) ZeroI() Tensor { return inPlace("zero_", t) }

// FillI sets t to v.
func (t Tensor) FillI(v float64) Tensor { return inPlace("fill_.Scalar", t, v) }

// AddI adds alpha · other to t.
func (t Tensor) AddI(other Tensor, alpha float64) Tensor {
	return inPlace("add_.Tensor", t, other, alpha)
}

// AddScalarI adds v to t.
func (t Tensor) AddScalarI(v float64) Tensor { return inPlace("add_.Scalar", t, v) }

// MulI multiplies t by other.
func (t Tensor) MulI(other Tensor) Tensor { return inPlace("mul_.Tensor", t, other) }

// MulScalarI multiplies t by v.
func (t Tensor) MulScalarI(v float64) Tensor { return inPlace("mul_.Scalar", t, v) }
