package tiff

import "encoding/binary"

// The tags that say how to read pixels. All others are passed over.
const (
	tagImageWidth       = 256
	tagImageLength      = 257
	tagBitsPerSample    = 258
	tagCompression      = 259
	tagPhotometric      = 262
	tagFillOrder        = 266
	tagStripOffsets     = 273
	tagOrientation      = 274
	tagSamplesPerPixel  = 277
	tagRowsPerStrip     = 278
	tagStripByteCounts  = 279
	tagPlanar           = 284
	tagT4Options        = 292
	tagPredictor        = 317
	tagColorMap         = 320
	tagTileWidth        = 322
	tagTileLength       = 323
	tagTileOffsets      = 324
	tagTileByteCounts   = 325
	tagInkSet           = 332
	tagExtraSamples     = 338
	tagSampleFormat     = 339
	tagJPEGTables       = 347
	tagYCbCrWeights     = 529
	tagYCbCrSubsampling = 530
	tagReference        = 532 // ReferenceBlackWhite
)

// typeSizes are the bytes of a value of each type of unsigned number: BYTE, SHORT, LONG,
// RATIONAL, UNDEFINED, IFD, LONG8 and IFD8. Entries of other types are passed over.
var typeSizes = map[uint16]uint64{1: 1, 3: 2, 4: 4, 5: 8, 7: 1, 13: 4, 16: 8, 18: 8}

// entry is what a tag holds: count values of size bytes.
type entry struct {
	count, size uint64
	data        []byte
}

// directory is the first image file directory, by tags. Of a tag that is given twice the
// last counts, and tags need not be sorted, although the specification demands both.
type directory struct {
	order   binary.ByteOrder
	entries map[int]entry
}

// dialect is the difference between TIFF, with offsets of 4 bytes, and BigTIFF, with 8.
type dialect struct {
	order     binary.ByteOrder
	file      []byte
	offset    uint64 // bytes of an offset, and of a count of values
	countSize uint64 // bytes of the count of entries
}

func readDirectory(file []byte) (*directory, error) {
	if !Is(file) {
		return nil, damaged("it does not begin as one")
	}
	f := dialect{order: binary.LittleEndian, file: file, offset: 4, countSize: 2}
	if file[0] == 'M' {
		f.order = binary.BigEndian
	}
	first := uint64(4) // where the offset of the directory lies
	if file[2] == '+' || file[3] == '+' {
		f.offset, f.countSize, first = 8, 8, 8
	}
	at, ok := f.uint(first, f.offset)
	if !ok {
		return nil, truncated("directory")
	}
	n, ok := f.uint(at, f.countSize)
	if !ok {
		return nil, truncated("directory")
	}
	if n == 0 || n > 1<<16 {
		return nil, damaged("a directory of %d entries", n)
	}
	d := &directory{f.order, map[int]entry{}}
	for i := range n {
		if err := f.readEntry(d, at+f.countSize+i*(4+2*f.offset)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (f *dialect) readEntry(d *directory, at uint64) error {
	header, ok := slice(f.file, at, 4+2*f.offset)
	if !ok {
		return truncated("directory")
	}
	tag := int(f.order.Uint16(header))
	size := typeSizes[f.order.Uint16(header[2:])]
	count, _ := f.uint(at+4, f.offset)
	if size == 0 || count == 0 {
		return nil
	}
	if count > uint64(len(f.file)) {
		return damaged("tag %d has %d values, more than the file has bytes", tag, count)
	}
	start := at + 4 + f.offset // values that fit are in place of their offset
	if count*size > f.offset {
		start, _ = f.uint(start, f.offset)
	}
	data, ok := slice(f.file, start, count*size)
	if !ok {
		return truncated("directory")
	}
	d.entries[tag] = entry{count, size, data}
	return nil
}

// uint reads a number of the given bytes.
func (f *dialect) uint(at, size uint64) (uint64, bool) {
	data, ok := slice(f.file, at, size)
	if !ok {
		return 0, false
	}
	return decodeUint(f.order, data), true
}

func decodeUint(order binary.ByteOrder, data []byte) uint64 {
	switch len(data) {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(order.Uint16(data))
	case 4:
		return uint64(order.Uint32(data))
	}
	return order.Uint64(data)
}

// slice returns n bytes of the file from at, if it has them.
func slice(file []byte, at, n uint64) ([]byte, bool) {
	if size := uint64(len(file)); at > size || n > size-at {
		return nil, false
	}
	return file[at : at+n : at+n], true
}

func (d *directory) has(tag int) bool {
	_, ok := d.entries[tag]
	return ok
}

// len is how many values a tag has, 0 without it.
func (d *directory) len(tag int) int { return int(d.entries[tag].count) }

// at is value i of a tag, which has more than i.
func (d *directory) at(tag, i int) uint64 {
	e := d.entries[tag]
	return decodeUint(d.order, e.data[uint64(i)*e.size:][:e.size])
}

// value is the first value of a tag, or what holds without it.
func (d *directory) value(tag int, without uint64) uint64 {
	if !d.has(tag) {
		return without
	}
	return d.at(tag, 0)
}

// ratios are the values of a tag that are numerators and denominators.
func (d *directory) ratios(tag int) []float64 {
	e := d.entries[tag]
	if e.size != 8 {
		return nil
	}
	list := make([]float64, min(e.count, maxSamples))
	for i := range list {
		pair := e.data[8*i:]
		list[i] = float64(d.order.Uint32(pair)) / float64(d.order.Uint32(pair[4:]))
	}
	return list
}

// values are all values of a tag of which only few make sense.
func (d *directory) values(tag int) []uint64 {
	list := make([]uint64, min(d.len(tag), maxSamples))
	for i := range list {
		list[i] = d.at(tag, i)
	}
	return list
}
