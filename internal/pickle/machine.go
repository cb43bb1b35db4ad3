package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/ascood/ascood"
)

// Limits of a pickle. That of ResNet-50's state dict has 50 kB and makes 4,000 values;
// a history of every step of a training may have a million.
const (
	MaxLen    = 64 << 20
	maxValues = 4 << 20
)

// What a value counts for: the memory of a list or an object is that of several numbers.
const (
	costScalar    = 1
	costContainer = 4
)

// Options resolves what a pickle refers to. A nil function resolves nothing.
type Options struct {
	// Call returns what a class or function returns for the arguments; known is false
	// if it does not know the function, whose call becomes an Object.
	Call func(function string, args []any) (value any, known bool, err error)
	// Persistent returns what an id refers to outside of the pickle.
	Persistent func(id any) (any, error)
}

// Read runs the pickle at the start of data. It returns the value that the pickle
// makes and what follows it.
func Read(data []byte, opt Options) (value any, rest []byte, err error) {
	m := &machine{Options: opt, data: data, memo: map[int]any{}, left: maxValues}
	for {
		op, err := m.byte()
		if err != nil {
			return nil, nil, err
		}
		if op == opStop {
			value, err := m.pop()
			return value, data[m.at:], err
		}
		start := m.at - 1
		run := operations[op]
		if run == nil {
			return nil, nil, ascood.Errorf(ascood.Invalid, "malformed pickle: no opcode %#x, at byte %d", op, start)
		}
		if err := run(m); errors.Is(err, errMalformed) {
			return nil, nil, ascood.Errorf(ascood.Invalid, "%w: opcode %#x at byte %d", err, op, start)
		} else if err != nil {
			return nil, nil, err
		}
		if m.at > MaxLen {
			return nil, nil, ascood.Errorf(ascood.TooLarge, "a pickle of over %d MiB beside the tensors", MaxLen>>20)
		}
	}
}

var (
	errMalformed = ascood.Errorf(ascood.Invalid, "malformed pickle")
	errTruncated = ascood.Errorf(ascood.Invalid, "truncated pickle")
)

// machine is Python's pickle machine: opcodes push values on a stack and combine those
// at its top. Values that are referred to again are in the memo.
type machine struct {
	Options
	data  []byte
	at    int
	stack []any
	marks []int // where in the stack the opcode ( was
	memo  map[int]any
	left  int // of maxValues
}

// spend counts values towards the limit.
func (m *machine) spend(cost int) error {
	if m.left -= cost; m.left < 0 {
		return ascood.Errorf(ascood.TooLarge, "a pickle of over %d million values beside the tensors", maxValues>>20)
	}
	return nil
}

func (m *machine) push(value any, cost int) error {
	m.stack = append(m.stack, value)
	return m.spend(cost)
}

// floor is where the values since the last mark begin.
func (m *machine) floor() int {
	if n := len(m.marks); n > 0 {
		return m.marks[n-1]
	}
	return 0
}

func (m *machine) pop() (any, error) {
	value, err := m.top()
	if err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return value, err
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, errMalformed
	}
	return m.stack[len(m.stack)-1], nil
}

// popN returns a copy of the last n values.
func (m *machine) popN(n int) ([]any, error) {
	from := len(m.stack) - n
	if from < m.floor() {
		return nil, errMalformed
	}
	items := append(make([]any, 0, n), m.stack[from:]...)
	m.stack = m.stack[:from]
	return items, nil
}

// popMark returns a copy of the values since the last mark.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errMalformed
	}
	items, err := m.popN(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return items, err
}

func (m *machine) byte() (byte, error) {
	if m.at >= len(m.data) {
		return 0, errTruncated
	}
	m.at++
	return m.data[m.at-1], nil
}

// bytes returns the next n bytes, in place.
func (m *machine) bytes(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.at) {
		return nil, errTruncated
	}
	from := m.at
	m.at += int(n)
	return m.data[from:m.at:m.at], nil
}

// uint reads a little-endian number of so many bytes.
func (m *machine) uint(size uint64) (uint64, error) {
	var word [8]byte
	field, err := m.bytes(size)
	copy(word[:], field)
	return binary.LittleEndian.Uint64(word[:]), err
}

// counted reads as many bytes as the number before them, of prefix bytes, says.
func (m *machine) counted(prefix uint64) ([]byte, error) {
	n, err := m.uint(prefix)
	if err != nil {
		return nil, err
	}
	return m.bytes(n)
}

// line reads up to the end of the line.
func (m *machine) line() (string, error) {
	n := bytes.IndexByte(m.data[m.at:], '\n')
	if n < 0 {
		return "", errTruncated
	}
	text := string(m.data[m.at : m.at+n])
	m.at += n + 1
	return strings.TrimSuffix(text, "\r"), nil
}
