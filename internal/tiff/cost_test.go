package tiff

import (
	"context"
	"errors"
	"image"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// decode decodes without JPEG.
func decode(file []byte) (image.Image, error) {
	return Decode(context.Background(), file, Options{})
}

// repeat returns n times the same numbers, for strips and tiles that share data.
func repeat(value, n int) []int {
	values := make([]int, n)
	for i := range values {
		values[i] = value
	}
	return values
}

// unreadable fails as soon as it is unpacked: it is no stream of Deflate. What is refused
// for its cost must be refused before.
var unreadable = make([]byte, 1000)

// TestCost: what costs far more than its image is worth is refused by what the directory
// says, before anything is unpacked.
func TestCost(t *testing.T) {
	deflated := with(grayTags(1, 200_000), map[int][]int{tagCompression: {deflate}})
	for name, test := range map[string]struct {
		tags map[int][]int
		want string
	}{
		"tiles far wider than the image, in one place": {
			with(deflated, map[int][]int{tagTileWidth: {1024}, tagTileLength: {1024}, tagTileOffsets: repeat(5000, 196), tagTileByteCounts: repeat(1000, 196)}),
			"205520896 bytes would be unpacked for 200000",
		},
		"one tile far larger than the image": {
			with(deflated, map[int][]int{tagTileWidth: {65536}, tagTileLength: {65536}, tagTileOffsets: repeat(5000, 4), tagTileByteCounts: repeat(1000, 4)}),
			"17179869184 bytes would be unpacked for 200000",
		},
		"strips that share their data": {
			with(deflated, map[int][]int{tagRowsPerStrip: {10}, tagStripOffsets: repeat(5000, 20_000), tagStripByteCounts: repeat(1000, 20_000)}),
			"20000 strips or tiles lie one over the other: 20000000 bytes of a file",
		},
		"strips that overlap to the end of the file": {
			with(deflated, map[int][]int{tagRowsPerStrip: {4}, tagStripOffsets: repeat(5000, 50_000), tagStripByteCounts: repeat(1<<30, 50_000)}),
			"one over the other",
		},
		"a strip for each of very many rows": {
			with(deflated, map[int][]int{tagImageLength: {300_000}, tagRowsPerStrip: {1}, tagStripOffsets: repeat(5000, 300_000)}),
			"TIFF of 300000 strips or tiles: the limit is 65536",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(append(build(test.tags), unreadable...))
			if ascood.CodeOf(err) != ascood.TooLarge || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s %v, want %s with %q", ascood.CodeOf(err), err, ascood.TooLarge, test.want)
			}
		})
	}
}

// TestCostOfSoundFiles: tiles that are larger than a small image, and blank tiles that
// share one piece of the file, are nothing unusual.
func TestCostOfSoundFiles(t *testing.T) {
	blank := pack(t, make([]byte, 256*256))
	for name, tags := range map[string]map[int][]int{
		"a tile larger than the image": with(grayTags(3, 2), map[int][]int{tagTileWidth: {256}, tagTileLength: {256}}),
		"blank tiles": with(grayTags(1000, 700), map[int][]int{
			tagTileWidth: {256}, tagTileLength: {256}, tagTileByteCounts: repeat(len(blank), 12), tagTileOffsets: repeat(8+2+12*9+4+2*4*12, 12),
		}),
	} {
		t.Run(name, func(t *testing.T) {
			tags = with(tags, map[int][]int{tagCompression: {deflate}})
			file := build(tags, blank)
			if tags[tagTileOffsets] != nil {
				file = append(build(tags), blank...)
			}
			if _, err := decode(file); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSize: the size is known without memory for the image.
func TestSize(t *testing.T) {
	size, err := Size(build(grayTags(1<<30, 1<<29)))
	if err != nil || size != image.Pt(1<<30, 1<<29) {
		t.Errorf("got %v, %v", size, err)
	}
}

// TestDecodeEndsWithItsContext: a row is the most that is unpacked after that.
func TestDecodeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("nobody waits")
	cancel(cause)
	_, err := Decode(ctx, build(grayTags(2, 2), []byte{1, 2, 3, 4}), Options{})
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
}
