package checkpoint

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"

	"github.com/ascood/ascood"
)

// maxPickle bounds the length of a pickle. That of ResNet-50's state dict has
// 50 kB; and a mark, one byte, costs the machine that runs it 256.
const maxPickle = 4 << 20

// unpickle runs the pickle at the start of data. It returns the object that the
// pickle makes and what follows it. A pickle can name any function to call;
// findClass resolves those alone that rebuild tensors. persistent resolves
// references to data outside the pickle.
func unpickle(data []byte, persistent func(id any) (any, error)) (object any, rest []byte, err error) {
	n, err := pickleLen(data)
	if err != nil {
		return nil, nil, err
	}
	defer func() { // the library panics on some malformed input
		if p := recover(); p != nil {
			object, rest, err = nil, nil, ascood.Errorf(ascood.Invalid, "malformed pickle: %v", p)
		}
	}()
	machine := pickle.NewUnpickler(bytes.NewReader(data[:n]))
	machine.FindClass = findClass
	machine.PersistentLoad = persistent
	object, err = machine.Load()
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.Invalid, "pickle: %w", err)
	}
	return object, data[n:], nil
}

// The opcodes of protocols 0 to 5 by what follows them: a number of bytes, one
// or two lines, or a length (1, 4 or 8 bytes) and as many bytes.
const (
	opBytes0  = "(.012NQRbade)}]lotsu\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98"
	opBytes1  = "Khq\x80\x82"
	opBytes2  = "M\x83"
	opBytes4  = "Jjr\x84"
	opBytes8  = "G"
	opLine    = "FILPSVgp"
	opLines   = "ci"
	opCounted = "\x8aUC\x8c" // by 1 byte
	opLong    = "\x8bTBX"    // by 4
	opHuge    = "\x8d\x8e\x96"
	opFrame   = '\x95' // 8 bytes say how many of the following opcodes' bytes belong together
	opStop    = '.'
)

// pickleLen finds the end of the pickle at the start of data by its opcodes,
// and checks that every length in it is one that data has. The machine that
// runs it allocates what a length says before it reads.
func pickleLen(data []byte) (int, error) {
	at := 0
	for at < min(len(data), maxPickle) {
		op := data[at]
		at++
		n, ok := argumentLen(op, data[at:])
		if !ok {
			return 0, ascood.Errorf(ascood.Invalid, "malformed or truncated pickle: opcode %#x at byte %d", op, at-1)
		}
		at += n
		if op == opStop {
			return at, nil
		}
	}
	if at >= maxPickle {
		return 0, ascood.Errorf(ascood.TooLarge, "a pickle of over %d bytes is no state dict", maxPickle)
	}
	return 0, ascood.Errorf(ascood.Invalid, "truncated pickle")
}

// argumentLen is the number of bytes that belong to an opcode; false if rest
// does not have them or there is no such opcode.
func argumentLen(op byte, rest []byte) (int, bool) {
	is := func(set string) bool { return strings.IndexByte(set, op) >= 0 }
	fixed := func(n int) (int, bool) { return n, n <= len(rest) }
	counted := func(prefix int) (int, bool) {
		if len(rest) < prefix {
			return 0, false
		}
		var field [8]byte
		copy(field[:], rest[:prefix])
		n := binary.LittleEndian.Uint64(field[:])
		return prefix + int(n), n <= uint64(len(rest)-prefix)
	}
	switch {
	case is(opBytes0):
		return 0, true
	case is(opBytes1):
		return fixed(1)
	case is(opBytes2):
		return fixed(2)
	case is(opBytes4):
		return fixed(4)
	case is(opBytes8):
		return fixed(8)
	case is(opLine):
		return lines(rest, 1)
	case is(opLines):
		return lines(rest, 2)
	case is(opCounted):
		return counted(1)
	case is(opLong):
		return counted(4)
	case is(opHuge):
		return counted(8)
	case op == opFrame:
		_, ok := counted(8)
		return 8, ok
	}
	return 0, false
}

// lines is the length of the first n lines of data.
func lines(data []byte, n int) (length int, ok bool) {
	for range n {
		end := bytes.IndexByte(data[length:], '\n')
		if end < 0 {
			return 0, false
		}
		length += end + 1
	}
	return length, true
}
