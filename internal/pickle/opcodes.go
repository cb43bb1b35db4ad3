package pickle

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// opStop ends a pickle.
const opStop = '.'

// operations are the opcodes of protocols 0 to 5, but for opStop and for those that
// refer to what a file cannot hold: registered extensions and buffers out of band.
var operations = [256]func(*machine) error{
	// Constants and numbers.
	'N':  func(m *machine) error { return m.push(nil, costScalar) },
	0x88: func(m *machine) error { return m.push(true, costScalar) },
	0x89: func(m *machine) error { return m.push(false, costScalar) },
	'I':  (*machine).intLine,
	'L':  (*machine).intLine,
	'F':  (*machine).floatLine,
	'K':  func(m *machine) error { return m.unsigned(1) },
	'M':  func(m *machine) error { return m.unsigned(2) },
	'J':  (*machine).int32,
	0x8a: func(m *machine) error { return m.long(1) },
	0x8b: func(m *machine) error { return m.long(4) },
	'G':  (*machine).float64,
	// Texts and bytes.
	'S':  (*machine).quoted,
	'V':  (*machine).unicodeLine,
	'U':  func(m *machine) error { return m.text(1) },
	'T':  func(m *machine) error { return m.text(4) },
	'X':  func(m *machine) error { return m.text(4) },
	0x8c: func(m *machine) error { return m.text(1) },
	0x8d: func(m *machine) error { return m.text(8) },
	'C':  func(m *machine) error { return m.raw(1) },
	'B':  func(m *machine) error { return m.raw(4) },
	0x8e: func(m *machine) error { return m.raw(8) },
	0x96: func(m *machine) error { return m.raw(8) },
	// Containers.
	']':  func(m *machine) error { return m.push(&List{Kind: "list"}, costContainer) },
	'}':  func(m *machine) error { return m.push(&Dict{}, costContainer) },
	0x8f: func(m *machine) error { return m.push(&List{Kind: "set"}, costContainer) },
	')':  func(m *machine) error { return m.push(&List{Kind: "tuple"}, costContainer) },
	0x85: func(m *machine) error { return m.tuple(1) },
	0x86: func(m *machine) error { return m.tuple(2) },
	0x87: func(m *machine) error { return m.tuple(3) },
	't':  func(m *machine) error { return m.sequence("tuple") },
	'l':  func(m *machine) error { return m.sequence("list") },
	0x91: func(m *machine) error { return m.sequence("frozenset") },
	'd':  (*machine).dict,
	'a':  (*machine).appendOne,
	'e':  (*machine).appendAll,
	0x90: (*machine).appendAll,
	's':  (*machine).setOne,
	'u':  (*machine).setAll,
	// Classes and calls.
	'c':  (*machine).global,
	0x93: (*machine).stackGlobal,
	'R':  (*machine).call,
	0x81: (*machine).call,
	0x92: (*machine).callWithNames,
	'i':  (*machine).instance,
	'o':  (*machine).object,
	'b':  (*machine).build,
	'P':  (*machine).referenceLine,
	'Q':  (*machine).reference,
	// The stack and the memo.
	'(':  func(m *machine) error { m.marks = append(m.marks, len(m.stack)); return m.spend(costScalar) },
	'0':  (*machine).drop,
	'1':  func(m *machine) error { _, err := m.popMark(); return err },
	'2':  (*machine).duplicate,
	'g':  (*machine).getLine,
	'h':  func(m *machine) error { return m.get(1) },
	'j':  func(m *machine) error { return m.get(4) },
	'p':  (*machine).putLine,
	'q':  func(m *machine) error { return m.put(1) },
	'r':  func(m *machine) error { return m.put(4) },
	0x94: func(m *machine) error { return m.store(len(m.memo)) },
	// What says something about the pickle itself.
	0x80: func(m *machine) error { _, err := m.byte(); return err },
	0x95: func(m *machine) error { _, err := m.bytes(8); return err },
}

// intLine reads a decimal number; 00 and 01 are how protocol 0 wrote False and True.
func (m *machine) intLine() error {
	text, err := m.line()
	switch {
	case err != nil:
		return err
	case text == "00" || text == "01":
		return m.push(text == "01", costScalar)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, "L"))
	if err != nil { // too large, for a sound pickle
		return m.push(&Object{Class: "int"}, costContainer)
	}
	return m.push(n, costScalar)
}

func (m *machine) floatLine() error {
	text, err := m.line()
	if err != nil {
		return err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return errMalformed
	}
	return m.push(v, costScalar)
}

func (m *machine) unsigned(size uint64) error {
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.push(int(n), costScalar)
}

func (m *machine) int32() error {
	n, err := m.uint(4)
	if err != nil {
		return err
	}
	return m.push(int(int32(n)), costScalar)
}

// long reads a two's complement number of any length, of which 0 has none.
func (m *machine) long(prefix uint64) error {
	digits, err := m.counted(prefix)
	if err != nil {
		return err
	}
	if len(digits) > 8 {
		return m.push(&Object{Class: "int"}, costContainer)
	}
	var word [8]byte
	if n := len(digits); n > 0 && digits[n-1] >= 0x80 {
		word = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(word[:], digits)
	return m.push(int(binary.LittleEndian.Uint64(word[:])), costScalar)
}

func (m *machine) float64() error {
	field, err := m.bytes(8)
	if err != nil {
		return err
	}
	return m.push(math.Float64frombits(binary.BigEndian.Uint64(field)), costScalar)
}

// quoted reads a string as Python 2 printed it; escapes stay as they are.
func (m *machine) quoted() error {
	text, err := m.line()
	if err != nil {
		return err
	}
	if n := len(text); n < 2 || text[0] != text[n-1] || text[0] != '\'' && text[0] != '"' {
		return errMalformed
	}
	return m.push(text[1:len(text)-1], costScalar)
}

func (m *machine) unicodeLine() error {
	text, err := m.line()
	if err != nil {
		return err
	}
	return m.push(text, costScalar)
}

func (m *machine) text(prefix uint64) error {
	content, err := m.counted(prefix)
	if err != nil {
		return err
	}
	return m.push(string(content), costScalar)
}

func (m *machine) raw(prefix uint64) error {
	content, err := m.counted(prefix)
	if err != nil {
		return err
	}
	return m.push(content, costScalar)
}

func (m *machine) drop() error {
	if len(m.stack) == m.floor() { // a mark lies on top
		_, err := m.popMark()
		return err
	}
	_, err := m.pop()
	return err
}

func (m *machine) duplicate() error {
	value, err := m.top()
	if err != nil {
		return err
	}
	return m.push(value, costScalar)
}
