package tiff

import (
	"errors"
	"io"

	"github.com/ascood/ascood"
)

func isCCITT(compression uint64) bool {
	return compression == ccittRLE || compression == ccittG3 || compression == ccittG4 || compression == ccittRLEWords
}

// ccittReader decodes the fax compressions of ITU-T T.4 and T.6 into rows of bits, of which
// 1 is black. Rows are lists of the columns at which the colour changes, white first: an
// element at an even index turns black.
//
// golang.org/x/image/ccitt has group 4, and of group 3 what has all its ends of line and no
// row that is coded by the one before.
type ccittReader struct {
	bitReader
	width       int
	compression uint64
	twoRows     bool // group 3 may code a row by the one before
	above, row  []int
	packed      []uint8 // the row
	rest        []uint8 // of it, to be read
	decoded     int     // rows
	ended       bool    // all further rows are white
}

func newCCITT(p *page, s segment) (io.Reader, error) {
	const twoDimensional, uncompressedMode = 1, 2
	if p.compression == ccittG3 && p.t4Options&uncompressedMode != 0 {
		return nil, errFaxExtension
	}
	return &ccittReader{
		bitReader: bitReader{data: s.data}, width: s.width, compression: p.compression,
		twoRows: p.t4Options&twoDimensional != 0, packed: make([]uint8, (s.width+7)/8),
	}, nil
}

var (
	errCode         = errors.New("a fax code that does not exist")
	errEnd          = errors.New("the end of a fax")
	errFaxExtension = unsupported("with fax extensions is not handled")
)

// Read returns further bytes of rows, each of which begins with a byte.
func (r *ccittReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			if err := r.next(); err != nil {
				return n, err
			}
		}
		copied := copy(p[n:], r.rest)
		n, r.rest = n+copied, r.rest[copied:]
	}
	return n, nil
}

// next decodes a row. What is missing at the end of a strip is white, and a row that is
// damaged is white from there, as with libtiff; a strip of nothing else is damaged.
func (r *ccittReader) next() error {
	r.above, r.row = r.row, r.above[:0]
	if !r.ended {
		err := r.decodeRow()
		switch {
		case errors.Is(err, errFaxExtension):
			return err
		case err == nil:
			r.decoded++
		case r.decoded == 0 && (errors.Is(err, errCode) || len(r.row) == 0):
			return ascood.Errorf(ascood.Invalid, "damaged TIFF: %w", err)
		default:
			r.row = r.row[:len(r.row)/2*2]
			r.ended = r.compression != ccittG3 || errors.Is(err, errEnd) || !r.findEndOfLine()
		}
	}
	r.pack()
	return nil
}

func (r *ccittReader) decodeRow() error {
	switch r.compression {
	case ccittRLE:
		r.align(8)
	case ccittRLEWords:
		r.align(16)
	case ccittG4:
		return r.decodeByAbove()
	case ccittG3:
		if r.skipEndOfLine() && r.twoRows && r.take(1) == 0 {
			return r.decodeByAbove()
		}
	}
	return r.decodeRuns()
}

// decodeRuns decodes a row of runs, white and black in turn.
func (r *ccittReader) decodeRuns() error {
	at := 0
	for colour := 0; at < r.width; colour ^= 1 {
		run, err := r.run(colour)
		if err != nil {
			return err
		}
		at = min(at+run, r.width)
		r.row = append(r.row, at)
	}
	return nil
}

// run decodes the length of a run.
func (r *ccittReader) run(colour int) (int, error) {
	length := 0
	for length <= r.width {
		code := runTables()[colour][r.peek(maxCode)]
		if r.atEnd() {
			return 0, errEnd
		}
		if code.bits == 0 {
			return 0, errCode
		}
		r.skip(int(code.bits))
		length += int(code.run)
		if code.run < 64 {
			break
		}
	}
	return length, nil
}

// decodeByAbove decodes a row by its differences from the one above.
func (r *ccittReader) decodeByAbove() error {
	at, colour, b := 0, 0, 0 // b is the first change above that is not before at
	for at < r.width {
		b1, b2 := r.changesAbove(at, colour, &b, len(r.row) == 0)
		mode, err := r.mode()
		if err != nil {
			return err
		}
		switch mode {
		case pass:
			at = b2
		case horizontal:
			for range 2 {
				run, err := r.run(colour)
				if err != nil {
					return err
				}
				at = min(at+run, r.width)
				r.row = append(r.row, at)
				colour ^= 1
			}
		default: // vertical
			to := min(b1+mode, r.width)
			if to < at {
				return errCode
			}
			at = to
			r.row = append(r.row, at)
			colour ^= 1
		}
	}
	return nil
}

// changesAbove finds the first change of the row above to the right of at and to the other
// colour, and the one after it. At the beginning of a row a change at column 0 counts.
func (r *ccittReader) changesAbove(at, colour int, b *int, begin bool) (b1, b2 int) {
	for *b < len(r.above) && (r.above[*b] < at || r.above[*b] == at && !(begin && at == 0)) {
		*b++
	}
	i := *b
	if i%2 != colour {
		i++
	}
	b1, b2 = r.width, r.width
	if i < len(r.above) {
		b1 = r.above[i]
	}
	if i+1 < len(r.above) {
		b2 = r.above[i+1]
	}
	return b1, b2
}

// Modes; those from -3 to 3 are vertical, by so many columns to the right.
const (
	pass       = 4
	horizontal = 5
)

// modeCodes are from ITU-T T.4, table 4, in the order of their first set bit.
var modeCodes = []struct{ value, bits, mode int }{
	{0b1, 1, 0},
	{0b011, 3, 1}, {0b010, 3, -1}, {0b001, 3, horizontal},
	{0b0001, 4, pass},
	{0b000011, 6, 2}, {0b000010, 6, -2},
	{0b0000011, 7, 3}, {0b0000010, 7, -3},
}

func (r *ccittReader) mode() (int, error) {
	next := r.peek(7)
	if r.atEnd() {
		return 0, errEnd
	}
	for _, code := range modeCodes {
		if next>>(7-code.bits) == code.value {
			r.skip(code.bits)
			return code.mode, nil
		}
	}
	switch {
	case r.peek(12) == 1:
		return 0, errEnd
	case next == 1:
		return 0, errFaxExtension
	}
	return 0, errCode
}

// skipEndOfLine passes over the end of a line and the fill bits before it, if there is one.
func (r *ccittReader) skipEndOfLine() bool {
	if r.peek(11) != 0 || r.atEnd() {
		return false
	}
	for r.peek(1) == 0 && !r.atEnd() {
		r.skip(1)
	}
	r.skip(1)
	return true
}

// findEndOfLine goes on to the next end of a line, after damage.
func (r *ccittReader) findEndOfLine() bool {
	for r.peek(11) != 0 {
		r.skip(1)
	}
	return !r.atEnd()
}

// pack writes the row as bits.
func (r *ccittReader) pack() {
	clear(r.packed)
	r.rest = r.packed
	for i := 0; i < len(r.row); i += 2 {
		to := r.width
		if i+1 < len(r.row) {
			to = r.row[i+1]
		}
		setBits(r.packed, r.row[i], to)
	}
}

// setBits sets the bits of columns from up to to.
func setBits(packed []uint8, from, to int) {
	for ; from < to && from%8 != 0; from++ {
		packed[from/8] |= 0x80 >> (from % 8)
	}
	for ; from+8 <= to; from += 8 {
		packed[from/8] = 0xff
	}
	for ; from < to; from++ {
		packed[from/8] |= 0x80 >> (from % 8)
	}
}

// bitReader reads bits, the highest of a byte first. Behind the data there are zeros.
type bitReader struct {
	data []byte
	at   int // bits
}

// peek returns the next n bits, at most 16.
func (b *bitReader) peek(n int) int {
	var next uint32
	for i := range 3 {
		next <<= 8
		if at := b.at/8 + i; at < len(b.data) {
			next |= uint32(b.data[at])
		}
	}
	return int(next>>(24-b.at%8-n)) & (1<<n - 1)
}

func (b *bitReader) skip(n int) { b.at += n }

func (b *bitReader) take(n int) int {
	bits := b.peek(n)
	b.skip(n)
	return bits
}

func (b *bitReader) align(bits int) { b.at = (b.at + bits - 1) / bits * bits }

func (b *bitReader) atEnd() bool { return b.at >= 8*len(b.data) }
