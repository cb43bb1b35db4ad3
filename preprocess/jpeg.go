package preprocess

import (
	"bytes"
	"encoding/binary"

	"github.com/ascood/ascood"
)

// maxScans is far above the ten or so scans that progressive JPEGs have. Each scan
// may cost a pass over all blocks of the image, however few bytes it has.
const maxScans = 100

// Markers of JPEG, each the byte after 0xff.
const (
	markerRST0 = 0xd0
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerTEM  = 0x01
)

// checkScans refuses a JPEG of too many scans.
func checkScans(file []byte) error {
	scans := 0
	for marker := range segments(file) {
		if marker == markerSOS {
			scans++
		}
	}
	if scans > maxScans {
		return ascood.Errorf(ascood.Unsupported, "JPEG of %d scans: the limit is %d; save it as a baseline JPEG", scans, maxScans)
	}
	return nil
}

// segments yields the marker segments of a JPEG, in order, each with what follows
// its length; it passes over the entropy-coded data between them.
func segments(file []byte) func(yield func(marker byte, data []byte) bool) {
	return func(yield func(byte, []byte) bool) {
		for {
			at := bytes.IndexByte(file, 0xff)
			if at < 0 || at+1 >= len(file) {
				return
			}
			marker := file[at+1]
			if marker == 0xff { // fill
				file = file[at+1:]
				continue
			}
			file = file[at+2:]
			if marker == 0 || marker == markerTEM || marker >= markerRST0 && marker < markerEOI {
				continue // no segment
			}
			if marker == markerEOI || len(file) < 2 {
				return
			}
			length := min(max(2, int(binary.BigEndian.Uint16(file))), len(file))
			if !yield(marker, file[2:length]) {
				return
			}
			file = file[length:]
		}
	}
}
