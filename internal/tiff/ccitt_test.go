package tiff

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// Rows of 16 pixels in one dimension: white 4, black 3, white 9, and all black.
const (
	mixedRow = "1011 10 10100"
	blackRow = "00110101 0000010111" // no white, black 16
	noRow    = "11111111"
	eol      = "000000000001"
)

func bitString(parts ...string) []byte {
	digits := strings.ReplaceAll(strings.Join(parts, ""), " ", "")
	digits += strings.Repeat("0", (8-len(digits)%8)%8)
	data := make([]byte, len(digits)/8)
	for i, d := range digits {
		data[i/8] |= byte(d-'0') << (7 - i%8)
	}
	return data
}

// TestFax: what is written differently, or is missing at the end, and what libtiff makes of it.
func TestFax(t *testing.T) {
	mixed, black, white := []byte{0x0e, 0}, []byte{0xff, 0xff}, []byte{0, 0}
	rows := func(r ...[]byte) []byte { return bytes.Join(r, nil) }
	for name, test := range map[string]struct {
		compression uint64
		options     uint64
		data        []byte
		want        []byte
	}{
		"group 3":                        {ccittG3, 0, bitString(eol, mixedRow, eol, blackRow, eol, mixedRow), rows(mixed, black, mixed)},
		"group 3 with fill":              {ccittG3, 4, bitString("0000", eol, mixedRow, "00000000", eol, blackRow, "000", eol, mixedRow), rows(mixed, black, mixed)},
		"group 3 without ends of line":   {ccittG3, 0, bitString(mixedRow, blackRow, mixedRow), rows(mixed, black, mixed)},
		"group 3 with a damaged row":     {ccittG3, 0, bitString(eol, mixedRow, eol, "000000001", eol, blackRow), rows(mixed, white, black)},
		"group 3 that returns early":     {ccittG3, 0, bitString(eol, mixedRow, eol, eol, eol, eol, eol, eol), rows(mixed, white, white)},
		"group 3 in two dimensions":      {ccittG3, 1, bitString(eol, "1", mixedRow, eol, "0", "1 1 1", eol, "0", "011 010 1"), rows(mixed, mixed, []byte{0x04, 0})},
		"group 4 that ends early":        {ccittG4, 0, bitString("001 1011 10", "1", "000000000001000000000001"), rows(mixed, white, white)},
		"rows that begin with a byte":    {ccittRLE, 0, rows(bitString(mixedRow), bitString(blackRow), bitString(mixedRow)), rows(mixed, black, mixed)},
		"rows that begin with two bytes": {ccittRLEWords, 0, rows(bitString(mixedRow), bitString(blackRow), []byte{0}, bitString(mixedRow)), rows(mixed, black, mixed)},
		"a strip that is cut off":        {ccittRLE, 0, rows(bitString(mixedRow), bitString(blackRow)), rows(mixed, black, white)},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := newCCITT(&page{compression: test.compression, t4Options: test.options}, segment{data: test.data, width: 16})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(test.want))
			if _, err := r.Read(got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, test.want) {
				t.Errorf("rows % x, want % x", got, test.want)
			}
		})
	}
}

// TestFaxOfNothing: a strip of which no row can be read is damaged.
func TestFaxOfNothing(t *testing.T) {
	tags := with(grayTags(16, 3), map[int][]int{tagBitsPerSample: {1}})
	for name, test := range map[string]struct {
		compression int
		data        []byte
		code        ascood.Code
	}{
		"no such code": {ccittG3, bitString("000000001", noRow), ascood.Invalid},
		"no data":      {ccittG4, nil, ascood.Invalid},
		"extension":    {ccittG4, bitString("0000001111"), ascood.Unsupported},
	} {
		_, err := decode(build(with(tags, map[int][]int{tagCompression: {test.compression}}), test.data))
		if ascood.CodeOf(err) != test.code {
			t.Errorf("%s: got %s %v, want %s", name, ascood.CodeOf(err), err, test.code)
		}
	}
}
