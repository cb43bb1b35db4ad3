package bmp

import "context"

// Escapes, which follow a byte of 0. Larger values are the number of pixels that follow as
// they are.
const (
	endOfLine   = 0
	endOfBitmap = 1
	delta       = 2
)

// runs unpacks run-length encoding into one index a pixel. Pixels that it passes over have
// index 0; what would lie beyond a row is dropped.
type runs struct {
	data          []byte
	width, height int
	x, y          int
	nibbles       bool // two indices a byte
	dst           []uint8
}

// unpack returns the rows of a compressed file, after which it has 8 bits a pixel.
func (h *header) unpack(ctx context.Context) (*storedRows, error) {
	r := &runs{data: h.pixels, width: h.width, height: h.height, nibbles: h.compression == rle4, dst: make([]uint8, h.width*h.height)}
	for r.y < r.height && len(r.data) >= 2 {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !r.next() {
			h.bits = 8
			return &storedRows{r.dst, h.width, h.width}, nil
		}
	}
	if r.y < r.height-1 || r.y == r.height-1 && r.x < r.width {
		return nil, damaged("its runs end in row %d of %d", r.y+1, r.height)
	}
	h.bits = 8
	return &storedRows{r.dst, h.width, h.width}, nil
}

// next unpacks a run or an escape; false at the end of the bitmap.
func (r *runs) next() bool {
	count, value := int(r.data[0]), r.data[1]
	r.data = r.data[2:]
	switch {
	case count > 0:
		for i := range min(count, r.width-r.x) {
			r.put(r.index(value, i))
		}
	case value == endOfLine:
		r.x, r.y = 0, r.y+1
	case value == endOfBitmap:
		return false
	case value == delta:
		if len(r.data) >= 2 {
			r.x, r.y = r.x+int(r.data[0]), r.y+int(r.data[1])
		}
		r.data = r.data[min(2, len(r.data)):]
	default:
		r.copy(int(value))
	}
	return true
}

// copy takes n indices as they are, which are filled up to an even number of bytes.
func (r *runs) copy(n int) {
	size := n
	if r.nibbles {
		size = (n + 1) / 2
	}
	for i := range n {
		at := i
		if r.nibbles {
			at = i / 2
		}
		if at < len(r.data) {
			r.put(r.index(r.data[at], i))
		}
	}
	r.data = r.data[min(size+size%2, len(r.data)):]
}

// index is what a byte holds for pixel i of a run.
func (r *runs) index(value byte, i int) uint8 {
	switch {
	case !r.nibbles:
		return value
	case i%2 == 0:
		return value >> 4
	}
	return value & 15
}

func (r *runs) put(index uint8) {
	if r.x < r.width && r.y < r.height {
		r.dst[r.y*r.width+r.x] = index
	}
	r.x++
}
