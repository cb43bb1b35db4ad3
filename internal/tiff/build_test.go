package tiff

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"maps"
	"slices"
	"testing"
)

// build writes a TIFF. Values of tags are numbers of 4 bytes; the segments are strips, or
// tiles if the tags have their width, and follow at the end one after the other.
func build(tags map[int][]int, segments ...[]byte) []byte {
	tags = maps.Clone(tags)
	offsets, counts := tagStripOffsets, tagStripByteCounts
	if tags[tagTileWidth] != nil {
		offsets, counts = tagTileOffsets, tagTileByteCounts
	}
	sizes := make([]int, len(segments))
	for i, s := range segments {
		sizes[i] = len(s)
	}
	for tag, values := range map[int][]int{offsets: make([]int, len(segments)), counts: sizes} {
		if tags[tag] == nil {
			tags[tag] = values
		}
	}
	order := binary.LittleEndian
	body := 8 + 2 + 12*len(tags) + 4 // where values that do not fit begin
	pixels := body
	for _, values := range tags {
		if len(values) > 1 {
			pixels += 4 * len(values)
		}
	}
	for i := range segments {
		tags[offsets][i] = pixels
		pixels += len(segments[i])
	}
	file := order.AppendUint16([]byte("II*\x00\x08\x00\x00\x00"), uint16(len(tags)))
	var values []byte
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		file = order.AppendUint16(file, uint16(tag))
		file = order.AppendUint32(order.AppendUint16(file, 4), uint32(len(tags[tag])))
		value := body + len(values)
		if len(tags[tag]) == 1 {
			value = tags[tag][0]
		} else {
			for _, v := range tags[tag] {
				values = order.AppendUint32(values, uint32(v))
			}
		}
		file = order.AppendUint32(file, uint32(value))
	}
	file = append(order.AppendUint32(file, 0), values...)
	for _, s := range segments {
		file = append(file, s...)
	}
	return file
}

// with adds tags.
func with(tags map[int][]int, more map[int][]int) map[int][]int {
	tags = maps.Clone(tags)
	maps.Copy(tags, more)
	return tags
}

// grayTags are those of an 8-bit gray image in one strip.
func grayTags(width, height int) map[int][]int {
	return map[int][]int{
		tagImageWidth: {width}, tagImageLength: {height}, tagBitsPerSample: {8}, tagCompression: {uncompressed}, tagPhotometric: {blackIsZero},
	}
}

// pack is data in a stream of Deflate.
func pack(t *testing.T, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}
