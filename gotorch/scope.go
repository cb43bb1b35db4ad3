package gotorch

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Scope owns tensors: those made in it die when it closes. A training step, an
// evaluation batch and a model's parameters each have a scope of their own.
//
// The result of an operation belongs to the youngest scope among those of its
// operands, so that activations computed from a step's images and the model's
// weights die with the step. Scope.Keep moves a tensor to a scope of choice, in
// either direction.
//
// Errors are sticky, as in bufio.Scanner: the first operation that fails leaves
// its error in the scope of its result, and everything after it does nothing
// there. Check Err once, before the numbers are used.
//
// A Scope may be used by several goroutines at once. Closing it while another
// goroutine's operation runs is safe: memory is freed when that operation ends.
type Scope struct {
	birth  uint64 // of two scopes, the younger has the larger
	noGrad bool

	mu         sync.Mutex
	err        error
	closed     bool
	users      int // operations running on tensors of the scope
	tensors    []cTensor
	generators []cGenerator
}

var births atomic.Uint64

// ScopeOption alters what happens in a scope.
type ScopeOption int

// NoGrad makes operations whose results belong to the scope unknown to Grad,
// which saves the memory that gradients would need. It holds for this scope
// alone, whatever goroutine or thread runs the operation.
const NoGrad ScopeOption = 1

// NewScope returns an empty scope. The caller must Close it.
func NewScope(options ...ScopeOption) *Scope {
	s := &Scope{birth: births.Add(1)}
	for _, o := range options {
		s.noGrad = s.noGrad || o == NoGrad
	}
	return s
}

// Close frees the scope's tensors. Tensors that share their memory with one of
// another scope live on there. Closing again does nothing.
func (s *Scope) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.freeIfIdle()
}

// Err returns the error of the first operation that failed in the scope, an
// *OpError, or nil. It may be called after Close.
func (s *Scope) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Keep makes t a tensor of s as well, sharing its memory: outer.Keep(loss) lets
// a step's loss outlive the step, step.Keep(weight).Exp() leaves nothing behind
// in the model's scope. What autograd recorded for t is kept with it; Detach
// first what is to outlive its graph.
func (s *Scope) Keep(t Tensor) Tensor {
	return s.one("keep", []any{t}, func(in []cTensor) (cTensor, error) { return cAlias(in[0]) })
}

// Beside makes t a tensor of other's scope as well, as Keep does.
func (t Tensor) Beside(other Tensor) Tensor { return other.s.Keep(t) }

// Inside opens a scope with the options of t's, and returns t as a tensor of it as well:
// what is computed from that dies when the scope closes, before t does. Keep or Beside
// bring results out. The caller must close it.
func (t Tensor) Inside() (*Scope, Tensor) {
	inner := NewScope()
	inner.noGrad = t.s.noGrad
	return inner, inner.Keep(t)
}

// acquire holds the scope's memory until release, and reports false if the
// scope is closed.
func (s *Scope) acquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.users++
	return true
}

func (s *Scope) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.freeIfIdle()
}

// freeIfIdle needs the lock.
func (s *Scope) freeIfIdle() {
	if !s.closed || s.users > 0 {
		return
	}
	cFreeTensors(s.tensors)
	cFreeGenerators(s.generators)
	s.tensors, s.generators = nil, nil
}

// adopt takes ownership of tensors; the caller has acquired the scope.
func (s *Scope) adopt(list ...cTensor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range list {
		if t != nil {
			s.tensors = append(s.tensors, t)
		}
	}
}

func (s *Scope) adoptGenerator(g cGenerator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generators = append(s.generators, g)
}

// fail records the scope's first error. If an operand was invalid because an
// operation failed in another scope, that one's error is recorded here too.
func (s *Scope) fail(op string, operands []any, err error) {
	failure, inherited := errors.AsType[*OpError](err)
	if !inherited {
		failure = &OpError{Op: op, Operands: describe(operands), Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = failure
	}
}

// LiveHandles counts the tensors and generators of all scopes that are not
// closed, for tests of leaks.
func LiveHandles() int { return cLiveHandles() }
