package preprocess

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"iter"

	"github.com/ascood/ascood"
)

// Package image/png is strict where PIL is not. It is given a sound file with the
// same pixels: checksums are not looked at, data after the last row is left out, and
// what is missing is filled in where that is asked for. Transparency is left out, as
// colours are wanted without it.

const pngSignature = "\x89PNG\r\n\x1a\n"

// What is before and behind the data of a chunk, in bytes.
const pngChunkHeader, pngChunkCRC = 8, 4

func decodePNG(s *source) (image.Image, error) {
	r := &soundPNG{}
	r.out.WriteString(pngSignature)
	for kind, data := range pngChunks(s.file) {
		if kind == "IDAT" {
			break
		}
		switch kind {
		case "IHDR":
			r.rows = newScanlines(data)
			writeChunk(&r.out, kind, data)
		case "PLTE":
			writeChunk(&r.out, kind, data)
		}
	}
	if r.rows == nil {
		return nil, ascood.Errorf(ascood.Invalid, "damaged PNG: it has no header")
	}
	r.rows.inflate = flate.NewReader(&zlibData{Reader: &reader{s.ctx, &pngData{rest: s.file[len(pngSignature):]}}})
	r.rows.fill = s.Truncated == Fill
	r.pack, _ = zlib.NewWriterLevel(chunkWriter{&r.out}, zlib.NoCompression) // a level that exists
	return png.Decode(r)
}

// pngChunks yields the chunks of a PNG, kind and data. The data of the last one is
// what there is of it.
func pngChunks(file []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		rest := file[min(len(pngSignature), len(file)):]
		for len(rest) >= pngChunkHeader {
			length := min(int64(binary.BigEndian.Uint32(rest)), int64(len(rest)-pngChunkHeader))
			kind := string(rest[4:pngChunkHeader])
			if !yield(kind, rest[pngChunkHeader:][:length]) {
				return
			}
			rest = rest[pngChunkHeader+length:]
			rest = rest[min(pngChunkCRC, len(rest)):]
		}
	}
}

// writeChunk writes a chunk with its checksum.
func writeChunk(w *bytes.Buffer, kind string, data []byte) {
	sum := crc32.NewIEEE()
	io.WriteString(sum, kind)
	sum.Write(data)
	var field [4]byte
	binary.BigEndian.PutUint32(field[:], uint32(len(data)))
	w.Write(field[:])
	w.WriteString(kind)
	w.Write(data)
	binary.BigEndian.PutUint32(field[:], sum.Sum32())
	w.Write(field[:])
}

// chunkWriter writes chunks of pixel data.
type chunkWriter struct{ *bytes.Buffer }

func (w chunkWriter) Write(data []byte) (int, error) {
	writeChunk(w.Buffer, "IDAT", data)
	return len(data), nil
}

// soundPNG reads as a PNG without faults.
type soundPNG struct {
	rows *scanlines
	pack *zlib.Writer // of rows, to out
	out  bytes.Buffer // what is to be read next
	done bool
}

func (r *soundPNG) Read(p []byte) (int, error) {
	const step = 1 << 16
	for r.out.Len() == 0 {
		if r.done {
			return 0, io.EOF
		}
		_, err := io.CopyN(r.pack, r.rows, step)
		if errors.Is(err, io.EOF) {
			r.done, err = true, r.pack.Close()
			writeChunk(&r.out, "IEND", nil)
		}
		if err != nil {
			return 0, err
		}
	}
	return r.out.Read(p)
}

// pngData reads the data of a PNG's IDAT chunks.
type pngData struct {
	rest []byte // of the file
	left int    // of the chunk
}

func (d *pngData) Read(p []byte) (int, error) {
	begun := d.left > 0
	for d.left == 0 {
		if len(d.rest) < pngChunkHeader {
			return 0, io.ErrUnexpectedEOF
		}
		length := int(min(int64(binary.BigEndian.Uint32(d.rest)), int64(len(d.rest)-pngChunkHeader)))
		kind := string(d.rest[4:pngChunkHeader])
		d.rest = d.rest[pngChunkHeader:]
		switch {
		case kind == "IDAT":
			d.left, begun = length, true
		case begun || kind == "IEND":
			return 0, io.ErrUnexpectedEOF
		}
		if kind != "IDAT" || length == 0 {
			d.rest = d.rest[min(length+pngChunkCRC, len(d.rest)):]
		}
	}
	n := copy(p, d.rest[:d.left])
	d.rest, d.left = d.rest[n:], d.left-n
	if d.left == 0 {
		d.rest = d.rest[min(pngChunkCRC, len(d.rest)):]
	}
	return n, nil
}

// zlibData reads what follows the header of a zlib stream.
type zlibData struct {
	io.Reader
	begun bool
}

func (d *zlibData) Read(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		var header [2]byte
		if _, err := io.ReadFull(d.Reader, header[:]); err != nil {
			return 0, err
		}
		const method, deflate, dictionary = 0x0f, 8, 0x20
		if header[0]&method != deflate || header[1]&dictionary != 0 || binary.BigEndian.Uint16(header[:])%31 != 0 {
			return 0, zlib.ErrHeader
		}
	}
	return d.Reader.Read(p)
}

// scanlines reads the rows of a PNG, each behind the byte that names its filter.
type scanlines struct {
	inflate io.Reader
	fill    bool // rows that are missing are made of zeros
	passes  []pngPass
	row     []byte // memory for one
	left    []byte // of the row
	ended   bool   // the data has ended
}

// pngPass is a number of rows of some bytes.
type pngPass struct{ rows, bytes int }

// newScanlines returns the rows that a header announces, which must have been
// checked; nil if it is too short for one.
func newScanlines(header []byte) *scanlines {
	if len(header) < 13 {
		return nil
	}
	width, height := int(binary.BigEndian.Uint32(header)), int(binary.BigEndian.Uint32(header[4:]))
	channels := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[header[9]]
	bits := int(header[8]) * channels
	pass := func(x, y, dx, dy int) pngPass {
		w, h := (width-x+dx-1)/dx, (height-y+dy-1)/dy
		if w == 0 {
			return pngPass{}
		}
		return pngPass{h, 1 + (w*bits+7)/8}
	}
	s := &scanlines{passes: []pngPass{pass(0, 0, 1, 1)}}
	if header[12] == 1 { // Adam7
		s.passes = []pngPass{
			pass(0, 0, 8, 8), pass(4, 0, 8, 8), pass(0, 4, 4, 8), pass(2, 0, 4, 4), pass(0, 2, 2, 4), pass(1, 0, 2, 2), pass(0, 1, 1, 2),
		}
	}
	return s
}

func (s *scanlines) Read(p []byte) (int, error) {
	for len(s.left) == 0 {
		if len(s.passes) == 0 {
			return 0, io.EOF
		}
		pass := &s.passes[0]
		if pass.rows == 0 {
			s.passes = s.passes[1:]
			continue
		}
		pass.rows--
		s.row = grow(s.row, pass.bytes)
		s.left = s.row
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// next reads a row. A stream of pixels that ends soundly may end early, as in PIL.
func (s *scanlines) next() error {
	if !s.ended {
		_, err := io.ReadFull(s.inflate, s.row)
		short, damaged := errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, new(flate.CorruptInputError))
		switch {
		case err == nil:
			return nil
		case errors.Is(err, io.EOF), short && s.atEnd(), s.fill && (short || damaged):
			s.ended = true
		default:
			return err
		}
	}
	clear(s.row)
	return nil
}

// atEnd reports whether the stream of pixels has ended as it should.
func (s *scanlines) atEnd() bool {
	_, err := s.inflate.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}
