package preprocess

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// TestScansAreCounted: of what the decoder would go through, not of thumbnails.
func TestScansAreCounted(t *testing.T) {
	photo := testFile(t, "testdata/formats/progressive.jpg")
	scan := []byte("\xff\xda\x00\x04\x00\x00\x01\xff\x00\x02\xff\xd0\x03")
	sos := bytes.Index(photo, []byte("\xff\xda"))
	thumbnail := append([]byte("\xff\xe1\x07\x02"), slices.Repeat([]byte("\xff\xda"), 0x700/2)...)
	with := func(segments []byte) []byte { return slices.Concat(photo[:sos], segments, photo[sos:]) }
	own := countScans(photo)
	if n := countScans(with(thumbnail)); own < 2 || n != own {
		t.Errorf("%d scans with a thumbnail, want %d", n, own)
	}
	if n := countScans(with(slices.Repeat(scan, 50))); n != own+50 {
		t.Errorf("%d scans, want %d", n, own+50)
	}
	_, err := Reading{}.Decode(t.Context(), with(slices.Repeat(scan, maxScans)), DefaultMaxPixels)
	if ascood.CodeOf(err) != ascood.Unsupported || !strings.Contains(err.Error(), "scans, more than 100") {
		t.Errorf("too many scans: %v", err)
	}
}
