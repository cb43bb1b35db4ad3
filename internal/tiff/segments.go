package tiff

import (
	"iter"

	"github.com/ascood/ascood"
)

// segment is a strip or a tile, of one plane if each sample has its own.
type segment struct {
	data          []byte // as stored
	plane         int
	x, y          int
	width, height int // at most, when unpacked; it may reach beyond the image
}

// segments says where the segments of a page lie.
type segments struct {
	page          *page
	file          []byte
	width, height int // of a segment
	across, down  int
	planes        int // that matter
	offsets, ends []uint64
}

// segments finds the strips or tiles and refuses what would cost far more to unpack than
// the image is worth, before anything is unpacked.
func (p *page) segments(d *directory, file []byte) (*segments, error) {
	s := &segments{page: p, file: file, width: p.width, height: p.height, planes: 1}
	offsets, counts := tagStripOffsets, tagStripByteCounts
	if d.has(tagTileWidth) {
		if d.has(tagTileOffsets) {
			offsets, counts = tagTileOffsets, tagTileByteCounts
		}
		width, height := d.value(tagTileWidth, 0), d.value(tagTileLength, 0)
		if width < 1 || height < 1 || width > maxTile || height > maxTile {
			return nil, damaged("tiles of %dx%d pixels: each side must be 1 to %d", width, height, maxTile)
		}
		s.width, s.height = int(width), int(height)
	} else if rows := d.value(tagRowsPerStrip, 0); rows > 0 && rows < uint64(p.height) {
		s.height = int(rows)
	}
	s.across = (p.width + s.width - 1) / s.width
	s.down = (p.height + s.height - 1) / s.height
	if p.planar {
		s.planes = p.needed()
	}
	if s.height%p.subRow != 0 && s.down > 1 {
		return nil, damaged("strips of %d rows with chroma for %d rows each", s.height, p.subRow)
	}
	if err := s.locate(d, offsets, counts); err != nil {
		return nil, err
	}
	return s, s.checkCost()
}

const (
	maxTile     = 1 << 16 // pixels of a side
	maxSegments = 1 << 16 // each costs more than its pixels if it is small
)

// needed is how many samples of a pixel make its colour, alpha included where that is
// multiplied with alpha.
func (p *page) needed() int {
	if p.associated {
		return p.colours + 1
	}
	return p.colours
}

// locate sets where segments begin and end.
func (s *segments) locate(d *directory, offsets, counts int) error {
	n := s.across * s.down * s.planes
	if n > maxSegments {
		return ascood.Errorf(ascood.TooLarge, "TIFF of %d strips or tiles: the limit is %d", n, maxSegments)
	}
	if d.len(offsets) < n {
		return damaged("%d strips or tiles: an image of %dx%d pixels has %d of them", d.len(offsets), s.page.width, s.page.height, n)
	}
	s.offsets, s.ends = make([]uint64, n), make([]uint64, n)
	size := uint64(len(s.file))
	for i := range n {
		s.offsets[i] = min(d.at(offsets, i), size)
	}
	for i, from := range s.offsets {
		end := size // without a count, up to the next one
		switch {
		case s.page.compression == uncompressed: // the count says nothing new
			end = from + min(s.unpacked(), size)
		case i < d.len(counts) && d.at(counts, i) > 0:
			end = from + min(d.at(counts, i), size)
		case i+1 < n && s.offsets[i+1] > from:
			end = s.offsets[i+1]
		}
		s.ends[i] = min(end, size)
	}
	return nil
}

// unpacked is the size of a whole segment.
func (s *segments) unpacked() uint64 {
	rows := (s.height + s.page.subRow - 1) / s.page.subRow
	return uint64(rows) * uint64(s.page.rowBytes(s.width))
}

// Some waste is part of the format. Tiles reach beyond the image, the more of it the
// smaller the image is, and several tiles may share one piece of the file, as blank ones do.
const (
	maxPadding = 4        // times what an image of as many tiles without padding would take
	freeBytes  = 16 << 20 // may be unpacked for any image
)

// checkCost compares what is unpacked with the image, and what is read with the file:
// pieces that do not overlap are not larger than it, and pieces that are shared are worth
// reading only as far as something comes out of them.
func (s *segments) checkCost() error {
	p := s.page
	total := s.unpacked() * uint64(len(s.offsets))
	useful := uint64(p.rowBytes(p.width)) * uint64((p.height+p.subRow-1)/p.subRow) * uint64(s.planes)
	if total > maxPadding*useful && total > freeBytes {
		return ascood.Errorf(ascood.TooLarge, "TIFF of %dx%d pixels in tiles of %dx%d: %d bytes would be unpacked for %d, the limit is %d times as many",
			p.width, p.height, s.width, s.height, total, useful, maxPadding)
	}
	var stored uint64
	for i, from := range s.offsets {
		stored += s.ends[i] - from
	}
	if stored > uint64(len(s.file)) && stored > 2*total {
		return ascood.Errorf(ascood.TooLarge, "TIFF whose %d strips or tiles lie one over the other: %d bytes of a file of %d would be read, the limit is twice the %d that are unpacked",
			len(s.offsets), stored, len(s.file), total)
	}
	return nil
}

// all goes through the segments in the order of the file.
func (s *segments) all() iter.Seq[segment] {
	return func(yield func(segment) bool) {
		for i := range s.offsets {
			column, rest := i%s.across, i/s.across
			data := s.file[s.offsets[i]:s.ends[i]]
			if !yield(segment{data, rest / s.down, column * s.width, rest % s.down * s.height, s.width, s.height}) {
				return
			}
		}
	}
}
