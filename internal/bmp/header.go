package bmp

import (
	"encoding/binary"
	"slices"
)

var order = binary.LittleEndian

const fileHeader = 14 // bytes; the second header follows

// Sizes of the second header, which tell its kind. Those between have masks, as has any
// later one, or are cut off after a field.
const (
	coreHeader = 12 // OS/2's first, whose sides have 16 bits and whose palette has no padding
	infoHeader = 40
	maskHeader = 52
	os2Header  = 64
)

// Values of the compression.
const (
	uncompressed   = 0
	rle8           = 1
	rle4           = 2
	bitFields      = 3
	embeddedJPEG   = 4
	embeddedPNG    = 5
	alphaBitFields = 6
)

// header is what the headers say, checked.
type header struct {
	width, height int
	topDown       bool // the first row is the image's first, too
	bits          int  // of a pixel
	compression   uint32
	palette       [256][3]uint8 // red, green, blue
	masks         [3]mask       // the same, without a palette
	pixels        []byte        // up to the end of the file
}

func readHeader(file []byte) (*header, error) {
	if !Is(file) {
		return nil, damaged("it does not begin as one")
	}
	at := uint64(order.Uint32(file[10:])) // where pixels begin
	size := uint64(order.Uint32(file[fileHeader:]))
	end := fileHeader + size
	if uint64(len(file)) < end {
		return nil, damaged("the file ends in its header")
	}
	f := fields(file[fileHeader:end])
	h, err := f.readSize()
	if err != nil {
		return nil, err
	}
	if h.compression, err = f.readCompression(h.bits); err != nil {
		return nil, err
	}
	if size < maskHeader || size == os2Header { // the masks follow the header
		switch h.compression {
		case bitFields:
			end += 12
		case alphaBitFields:
			end += 16
		}
	}
	if uint64(len(file)) < end {
		return nil, damaged("the file ends in its masks")
	}
	if h.bits <= 8 {
		end = h.readPalette(f, file, end)
		if at == fileHeader+size { // written by those who forget the palette
			at = end
		}
	} else if err := h.readMasks(file[fileHeader:end]); err != nil {
		return nil, err
	}
	if at == 0 {
		at = end
	}
	h.pixels = file[min(at, uint64(len(file))):]
	return h, nil
}

// fields are the bytes of the second header. A field that it is too short for is 0.
type fields []byte

func (f fields) uint16(at int) uint16 {
	if at+2 > len(f) {
		return 0
	}
	return order.Uint16(f[at:])
}

func (f fields) uint32(at int) uint32 {
	if at+4 > len(f) {
		return 0
	}
	return order.Uint32(f[at:])
}

func (f fields) core() bool { return len(f) == coreHeader }

func (f fields) readSize() (*header, error) {
	h := &header{}
	if f.core() {
		h.width, h.height, h.bits = int(f.uint16(4)), int(f.uint16(6)), int(f.uint16(10))
	} else {
		h.width, h.height, h.bits = int(int32(f.uint32(4))), int(int32(f.uint32(8))), int(f.uint16(14))
		h.topDown = h.height < 0
	}
	h.height = max(h.height, -h.height)
	if h.width < 1 || h.height < 1 {
		return nil, damaged("%dx%d pixels", h.width, h.height)
	}
	if !slices.Contains([]int{1, 2, 4, 8, 16, 24, 32}, h.bits) {
		return nil, unsupported("with %d bits a pixel is not handled", h.bits)
	}
	return h, nil
}

// readCompression checks that it goes with the number of bits.
func (f fields) readCompression(bits int) (uint32, error) {
	compression := f.uint32(16)
	switch {
	case len(f) == os2Header && compression == 3:
		return 0, unsupported("with OS/2's Huffman compression is not handled")
	case len(f) == os2Header && compression == 4:
		return 0, unsupported("with OS/2's RLE24 compression is not handled")
	case compression == embeddedJPEG:
		return 0, unsupported("that holds a JPEG image is not handled")
	case compression == embeddedPNG:
		return 0, unsupported("that holds a PNG image is not handled")
	case compression > alphaBitFields:
		return 0, unsupported("with compression %d is not handled", compression)
	}
	sound := map[uint32][]int{uncompressed: {1, 2, 4, 8, 16, 24, 32}, rle8: {8}, rle4: {4}, bitFields: {16, 24, 32}, alphaBitFields: {16, 24, 32}}
	if !slices.Contains(sound[compression], bits) {
		return 0, damaged("compression %d of %d bits a pixel", compression, bits)
	}
	return compression, nil
}

// readPalette reads the colours that follow at from, and returns where they end. A palette
// may be cut off.
func (h *header) readPalette(f fields, file []byte, from uint64) uint64 {
	colours, size := uint64(f.uint32(32)), uint64(4)
	if f.core() {
		size = 3
	}
	if colours == 0 || colours > 1<<16 {
		colours = 1 << h.bits
	}
	end := from + colours*size
	for i := range min(colours, 256) {
		entry := from + i*size
		if entry+3 > uint64(len(file)) {
			break
		}
		h.palette[i] = [3]uint8{file[entry+2], file[entry+1], file[entry]}
	}
	return end
}
