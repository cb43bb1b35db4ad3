package serve

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestHostileUploads: others are served while files come that are small, within all
// limits, and would take longer to decode than any client waits.
func TestHostileUploads(t *testing.T) {
	for name, hostileFile := range map[string]struct {
		data   []byte
		status int
		code   string
	}{
		"progressive JPEG of 100,000 scans": {progressiveJPEG(100_000, 1, 5000), http.StatusUnsupportedMediaType, "unsupported"},
		"TIFF of wide tiles in one place":   {tiledTIFF(2_000_000), http.StatusRequestEntityTooLarge, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, &fakeModel{}, func(c *Config) { c.Timeout = 5 * time.Second })
			answers := make([]*httptest.ResponseRecorder, 4)
			var hostile sync.WaitGroup
			for i := range answers {
				hostile.Go(func() { answers[i] = do(s, raw(hostileFile.data)) })
			}
			for range 10 {
				wantScore(t, do(s, raw(grayPNG(t, 128))), 128./255)
			}
			hostile.Wait()
			for _, answer := range answers {
				wantError(t, answer, hostileFile.status, hostileFile.code)
			}
		})
	}
}

// TestHostileForms: what a form has too much of is refused where it is found, and takes no
// memory beyond its own.
func TestHostileForms(t *testing.T) {
	var images, fields, headers bytes.Buffer
	for range 1000 {
		images.WriteString("--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\na\r\n")
		fields.WriteString("--x\r\nContent-Disposition: form-data; name=a\r\n\r\na\r\n")
	}
	headers.WriteString("--x\r\n")
	for i := range 20_000 {
		fmt.Fprintf(&headers, "X-%d: a\r\n", i)
	}
	for _, tt := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"1000 images", images.String(), http.StatusRequestEntityTooLarge, "too_large"},
		{"1000 other fields", fields.String(), http.StatusBadRequest, "invalid"},
		{"a part of 20,000 headers", headers.String(), http.StatusBadRequest, "invalid"},
		{"a name of a megabyte", "--x\r\nContent-Disposition: form-data; name=" + strings.Repeat("a", 1<<20) + "\r\n\r\n", http.StatusBadRequest, "invalid"},
		{"boundaries alone", strings.Repeat("--x\r\n", 100_000), http.StatusBadRequest, "invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, &fakeModel{})
			used := allocated(func() {
				wantError(t, do(s, typed("multipart/form-data; boundary=x", []byte(tt.body))), tt.status, tt.code)
			})
			if used > 16<<20 {
				t.Errorf("allocated %d bytes", used)
			}
			wantNothingHeld(t, s)
		})
	}
}

// TestHostileConnections: what is no request, or not one of this protocol, is answered or
// cut off, and others are served.
func TestHostileConnections(t *testing.T) {
	s := newServer(t, &fakeModel{})
	address := serveOn(t, s)
	const post = "POST /v1/score HTTP/1.1\r\nHost: x\r\n"
	for name, tt := range map[string]struct {
		request string
		status  int // 0 if the connection is cut off
	}{
		"headers of 100 KB":            {post + "X: " + strings.Repeat("a", 100<<10) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"10,000 headers":               {post + strings.Repeat("X: a\r\n", 10_000) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"a negative length":            {post + "Content-Length: -1\r\n\r\n", http.StatusBadRequest},
		"two lengths":                  {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", http.StatusBadRequest},
		"a length of more than a body": {post + "Content-Length: 99999999999999999999\r\n\r\n", http.StatusBadRequest},
		"a chunk of no length":         {post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", http.StatusBadRequest},
		"a chunk that lies":            {post + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", http.StatusBadRequest},
		"an unknown encoding":          {post + "Transfer-Encoding: gzip\r\n\r\n", http.StatusNotImplemented},
		"no host":                      {"GET / HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		"HTTP/2":                       {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08", 1000), http.StatusNotFound},
		"TLS":                          {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address)
			go io.WriteString(c, tt.request)
			if status, body := c.answer(); status != tt.status {
				t.Errorf("status %d: %s", status, body)
			}
			if status := postImage(t, address); status != http.StatusOK {
				t.Errorf("another client got status %d", status)
			}
		})
	}
	wantNothingHeld(t, s)
}

// progressiveJPEG has scans that hold nothing, of one component after another. Each
// costs a pass over all blocks.
func progressiveJPEG(scans, components int, side uint16) []byte {
	file := []byte("\xff\xd8\xff\xdb\x00\x43\x00")
	file = append(file, slices.Repeat([]byte{1}, 64)...) // quantisation
	file = append(file, 0xff, 0xc2, 0, byte(8+3*components), 8)
	file = binary.BigEndian.AppendUint16(file, side)
	file = binary.BigEndian.AppendUint16(file, side)
	file = append(file, byte(components))
	for i := range components {
		file = append(file, byte(i), 0x11, 0)
	}
	file = append(file, "\xff\xc4\x00\x14\x10\x01"...) // one code of one bit: a run of blocks without coefficients
	file = append(file, slices.Repeat([]byte{0}, 15)...)
	file = append(file, 0xe0)
	blocks := (int(side) + 7) / 8
	empty := emptyBlocks(blocks * blocks)
	for i := range scans {
		file = append(file, 0xff, 0xda, 0, 8, 1, byte(i%components), 0, 1, 63, 0)
		file = append(file, empty...)
	}
	return append(file, "\xff\xd9"...)
}

// tiledTIFF is one pixel wide. All its tiles, of 1024x1024 pixels, are the same bytes of
// the file, which unpack to 8 MiB.
func tiledTIFF(rows uint32) []byte {
	const width, length, bits, compression, photometric, samples = 256, 257, 258, 259, 262, 277
	const tileWidth, tileLength, offsets, counts = 322, 323, 324, 325
	const short, long, deflate, rgb = 3, 4, 8, 2
	var tile bytes.Buffer
	pack := zlib.NewWriter(&tile)
	pack.Write(make([]byte, 1024*1024*8))
	pack.Close()
	tags := [][4]uint32{
		{width, long, 1, 1}, {length, long, 1, rows}, {bits, short, 4, 0}, {compression, short, 1, deflate}, {photometric, short, 1, rgb},
		{samples, short, 1, 4}, {tileWidth, short, 1, 1024}, {tileLength, short, 1, 1024}, {offsets, long, 0, 0}, {counts, long, 0, 0}, {338, short, 1, 2},
	}
	n := (rows + 1023) / 1024
	at := uint32(8 + 2 + 12*len(tags) + 4)
	tags[2][3] = at
	tags[8][2], tags[8][3] = n, at+8
	tags[9][2], tags[9][3] = n, at+8+4*n
	le := binary.LittleEndian
	file := le.AppendUint16(le.AppendUint32([]byte("II*\x00"), 8), uint16(len(tags)))
	for _, tag := range tags {
		file = le.AppendUint16(le.AppendUint16(file, uint16(tag[0])), uint16(tag[1]))
		file = le.AppendUint32(le.AppendUint32(file, tag[2]), tag[3])
	}
	file = append(file, "\x00\x00\x00\x00\x10\x00\x10\x00\x10\x00\x10\x00"...)
	file = append(file, bytes.Repeat(le.AppendUint32(nil, at+8+8*n), int(n))...)
	file = append(file, bytes.Repeat(le.AppendUint32(nil, uint32(tile.Len())), int(n))...)
	return append(file, tile.Bytes()...)
}

// emptyBlocks codes n blocks that are left as they are, in runs of 16,384 to 32,767:
// a bit for the code, and 14 for the length.
func emptyBlocks(n int) (coded []byte) {
	var bits, held uint
	for n > 0 {
		run := min(max(n, 1<<14), 1<<15-1)
		n -= run
		bits, held = bits<<15|uint(run-1<<14), held+15
		for ; held >= 8; held -= 8 {
			coded = appendEntropy(coded, byte(bits>>(held-8)))
		}
	}
	if held > 0 {
		coded = appendEntropy(coded, byte(bits<<(8-held)|(1<<(8-held)-1)))
	}
	return coded
}

// appendEntropy marks an 0xff as data.
func appendEntropy(coded []byte, b byte) []byte {
	if b == 0xff {
		return append(coded, 0xff, 0)
	}
	return append(coded, b)
}
