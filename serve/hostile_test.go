package serve

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"slices"
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
