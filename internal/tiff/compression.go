package tiff

import (
	"bytes"
	"compress/lzw"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"math/bits"

	tifflzw "golang.org/x/image/tiff/lzw"

	"github.com/ascood/ascood"
)

// Values of Compression.
const (
	uncompressed  = 1
	ccittRLE      = 2
	ccittG3       = 3
	ccittG4       = 4
	lzwCodes      = 5
	jpeg          = 7
	deflate       = 8
	ccittRLEWords = 32771
	packBits      = 32773
	deflateOld    = 32946
)

// compressionNames are those that are not handled.
var compressionNames = map[uint64]string{
	6: "old-style JPEG, which was given up in 1995", 9: "JBIG", 10: "JBIG", 32766: "NeXT", 32809: "ThunderScan", 34661: "JBIG", 34676: "SGI Log",
	34677: "SGI Log", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC", 34892: "lossy JPEG of DNG", 34925: "LZMA",
	34933: "PNG", 34934: "JPEG XR", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}

// unpackers make a reader of the rows of a segment out of what is stored.
var unpackers = map[uint64]func(p *page, s segment) (io.Reader, error){
	uncompressed:  func(_ *page, s segment) (io.Reader, error) { return bytes.NewReader(s.data), nil },
	ccittRLE:      newCCITT,
	ccittRLEWords: newCCITT,
	ccittG3:       newCCITT,
	ccittG4:       newCCITT,
	lzwCodes:      newLZW,
	deflate:       newDeflate,
	deflateOld:    newDeflate,
	packBits:      func(_ *page, s segment) (io.Reader, error) { return &packBitsReader{data: s.data}, nil },
}

func (p *page) checkCompression(*directory) error {
	if p.compression == jpeg {
		return p.checkJPEG()
	}
	if unpackers[p.compression] == nil {
		if name, known := compressionNames[p.compression]; known {
			return unsupported("with %s compression (%d) is not handled", name, p.compression)
		}
		return unsupported("with compression %d is not handled", p.compression)
	}
	if isCCITT(p.compression) && (p.bits != 1 || p.samples != 1) {
		return damaged("fax compression of %d samples of %d bits: it is for one of 1 bit", p.samples, p.bits)
	}
	return p.checkPredictor()
}

// unpack gives the rows of a segment to dst.
func (p *page) unpack(ctx context.Context, s segment, dst pixels, decodeJPEG JPEG) error {
	if p.reversed && p.compression != jpeg {
		s.data = reverseBits(s.data)
	}
	if p.compression == jpeg {
		return p.unpackJPEG(ctx, s, dst, decodeJPEG)
	}
	rows, err := unpackers[p.compression](p, s)
	if err != nil {
		return explain(err)
	}
	row := make([]byte, p.rowBytes(s.width))
	for y := s.y; y < min(s.y+s.height, p.height); y += p.subRow {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, err := io.ReadFull(rows, row); err != nil {
			return explain(err)
		}
		p.predict(row)
		if err := dst.put(row, s.plane, s.x, y, min(s.width, p.width-s.x)); err != nil {
			return err
		}
	}
	return nil
}

// explain says what the error of a decompressor means.
func explain(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return truncated("pixels")
	case ascood.CodeOf(err) != ascood.Internal:
		return err
	}
	return damaged("%w", err)
}

func reverseBits(data []byte) []byte {
	reversed := make([]byte, len(data))
	for i, b := range data {
		reversed[i] = bits.Reverse8(b)
	}
	return reversed
}

func newDeflate(_ *page, s segment) (io.Reader, error) {
	return zlib.NewReader(bytes.NewReader(s.data))
}

// newLZW tells TIFF's LZW from that of the time before version 5, whose codes are packed
// from the lowest bit and grow one code later, as in GIF: its first code, 256, shows.
func newLZW(_ *page, s segment) (io.Reader, error) {
	if len(s.data) > 1 && s.data[0] == 0 && s.data[1]&1 == 1 {
		return lzw.NewReader(bytes.NewReader(s.data), lzw.LSB, 8), nil
	}
	return tifflzw.NewReader(bytes.NewReader(s.data), tifflzw.MSB, 8), nil
}

// packBitsReader unpacks runs: a byte n up to 127 is followed by n+1 bytes as they are,
// one above 128 by a byte that stands for 257-n, and 128 stands for nothing.
type packBitsReader struct {
	data   []byte
	repeat int // of the first byte of data
	copies int // bytes of data that stand for themselves
}

func (r *packBitsReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case len(r.data) == 0:
			return n, io.EOF
		case r.repeat > 0:
			run := p[n:min(len(p), n+r.repeat)]
			for i := range run {
				run[i] = r.data[0]
			}
			n, r.repeat = n+len(run), r.repeat-len(run)
			if r.repeat == 0 {
				r.data = r.data[1:]
			}
		case r.copies > 0:
			copied := copy(p[n:], r.data[:min(r.copies, len(r.data))])
			n, r.copies, r.data = n+copied, r.copies-copied, r.data[copied:]
		case r.data[0] < 128:
			r.copies, r.data = int(r.data[0])+1, r.data[1:]
		case r.data[0] > 128:
			r.repeat, r.data = 257-int(r.data[0]), r.data[1:]
		default:
			r.data = r.data[1:]
		}
	}
	return n, nil
}
