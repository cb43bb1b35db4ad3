package serve

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// hostileFiles are small, within all limits, and would take longer to decode than
// any client waits.
func hostileFiles() map[string][]byte {
	return map[string][]byte{
		"progressive JPEG of 100,000 scans": progressiveJPEG(100_000, 1, 5000),
	}
}

// TestHostileUploads: others are served while files come that are made to cost much.
func TestHostileUploads(t *testing.T) {
	for name, file := range hostileFiles() {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, &fakeModel{}, func(c *Config) { c.Timeout = 5 * time.Second })
			answers := make([]*httptest.ResponseRecorder, 4)
			var hostile sync.WaitGroup
			for i := range answers {
				hostile.Go(func() { answers[i] = do(s, raw(file)) })
			}
			for range 10 {
				wantScore(t, do(s, raw(grayPNG(t, 128))), 128./255)
			}
			hostile.Wait()
			for _, answer := range answers {
				wantError(t, answer, http.StatusUnsupportedMediaType, "unsupported")
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
