package tiff

import (
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// TestErrors: what is sound but not handled says what it is and what to do, and only what is
// damaged is called so.
func TestErrors(t *testing.T) {
	pixels := make([]byte, 6)
	gray := func(more map[int][]int) []byte { return build(with(grayTags(3, 2), more), pixels) }
	rgbTags := map[int][]int{tagBitsPerSample: {8, 8, 8}, tagSamplesPerPixel: {3}, tagPhotometric: {rgb}}
	sound := gray(nil)
	for name, test := range map[string]struct {
		file []byte
		code ascood.Code
		want string
	}{
		"L*a*b*":          {gray(map[int][]int{tagPhotometric: {8}}), ascood.Unsupported, "TIFF of CIE L*a*b* pixels is not handled; save it as 8-bit RGB"},
		"photometric":     {gray(map[int][]int{tagPhotometric: {99}}), ascood.Unsupported, "photometric interpretation 99"},
		"old JPEG":        {gray(map[int][]int{tagCompression: {6}}), ascood.Unsupported, "TIFF with old-style JPEG"},
		"Zstandard":       {gray(map[int][]int{tagCompression: {50000}}), ascood.Unsupported, "TIFF with Zstandard compression (50000) is not handled"},
		"compression":     {gray(map[int][]int{tagCompression: {77}}), ascood.Unsupported, "compression 77"},
		"fax of 8 bits":   {gray(map[int][]int{tagCompression: {ccittG4}}), ascood.Invalid, "it is for one of 1 bit"},
		"6 bits":          {gray(map[int][]int{tagBitsPerSample: {6}}), ascood.Unsupported, "6-bit unsigned samples"},
		"double floats":   {gray(map[int][]int{tagBitsPerSample: {64}, tagSampleFormat: {float}}), ascood.Unsupported, "64-bit float samples"},
		"complex":         {gray(map[int][]int{tagBitsPerSample: {32}, tagSampleFormat: {6}}), ascood.Unsupported, "samples"},
		"565":             {gray(with(rgbTags, map[int][]int{tagBitsPerSample: {5, 6, 5}})), ascood.Unsupported, "different numbers of bits, [5 6 5]"},
		"bands":           {gray(map[int][]int{tagSamplesPerPixel: {3}, tagBitsPerSample: {8, 8, 8}}), ascood.Unsupported, "bands of no known colour"},
		"many samples":    {gray(map[int][]int{tagSamplesPerPixel: {40_000}}), ascood.Unsupported, "40000 samples in a pixel"},
		"other inks":      {gray(map[int][]int{tagPhotometric: {cmyk}, tagSamplesPerPixel: {4}, tagInkSet: {2}}), ascood.Unsupported, "other inks"},
		"white is zero":   {gray(map[int][]int{tagPhotometric: {whiteIsZero}, tagBitsPerSample: {12}}), ascood.Unsupported, "12-bit samples whose white is 0"},
		"predictor":       {gray(map[int][]int{tagCompression: {lzwCodes}, tagPredictor: {3}}), ascood.Unsupported, "predictor 3"},
		"too few samples": {gray(map[int][]int{tagPhotometric: {rgb}}), ascood.Invalid, "1 samples in a pixel, which needs 3"},
		"too few bits":    {gray(with(rgbTags, map[int][]int{tagBitsPerSample: {8, 8}})), ascood.Invalid, "bits are given for 2 of 3 samples"},
		"no palette":      {gray(map[int][]int{tagPhotometric: {palette}}), ascood.Invalid, "a palette of 0 values"},
		"short palette":   {build(with(grayTags(3, 1), map[int][]int{tagPhotometric: {palette}, tagColorMap: {1, 2, 3}}), []byte{0, 0, 9}), ascood.Invalid, "colour 9 of a palette of 1"},
		"no size":         {gray(map[int][]int{tagImageWidth: {0}}), ascood.Invalid, "0x2 pixels"},
		"no strips":       {build(grayTags(3, 2)), ascood.Invalid, "0 strips or tiles: an image of 3x2 pixels has 1 of them"},
		"tiles of size 0": {gray(map[int][]int{tagTileWidth: {0}, tagTileLength: {16}}), ascood.Invalid, "tiles of 0x16 pixels"},
		"cut off":         {sound[:len(sound)-1], ascood.Invalid, "truncated image: the TIFF ends before its pixels"},
		"cut in its tags": {sound[:60], ascood.Invalid, "ends before its directory"},
		"header only":     {sound[:6], ascood.Invalid, "ends before its directory"},
		"bad stream":      {gray(map[int][]int{tagCompression: {deflate}}), ascood.Invalid, "damaged TIFF: zlib"},
		"empty stream":    {build(with(grayTags(3, 2), map[int][]int{tagCompression: {lzwCodes}}), nil), ascood.Invalid, "truncated image"},
		"chroma":          {gray(map[int][]int{tagPhotometric: {ycbcr}, tagSamplesPerPixel: {3}, tagYCbCrSubsampling: {3, 0}}), ascood.Invalid, "subsampled by 3x0"},
		"gray and alpha":  {gray(map[int][]int{tagSamplesPerPixel: {2}, tagExtraSamples: {associatedAlpha}}), ascood.Unsupported, "other colours than RGB"},
		"JPEG of 16 bits": {gray(map[int][]int{tagCompression: {jpeg}, tagBitsPerSample: {16}}), ascood.Unsupported, "JPEG of 16 bits"},
		"no JPEG":         {gray(map[int][]int{tagCompression: {jpeg}}), ascood.Invalid, "a JPEG stream that does not begin as one"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(test.file)
			if ascood.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s %v, want %s with %q", ascood.CodeOf(err), err, test.code, test.want)
			}
		})
	}
}

// TestIs: all six beginnings, of which two are wrong and written nevertheless.
func TestIs(t *testing.T) {
	for _, begin := range []string{"II*\x00", "MM\x00*", "II\x00*", "MM*\x00", "II+\x00", "MM\x00+"} {
		if !Is([]byte(begin)) {
			t.Errorf("%q is not taken for a TIFF", begin)
		}
	}
	for _, begin := range []string{"", "II*", "II**", "MMMM", "\x89PNG"} {
		if Is([]byte(begin)) {
			t.Errorf("%q is taken for a TIFF", begin)
		}
	}
}
