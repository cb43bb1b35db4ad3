package tiff

import (
	"context"
	"image"
	"slices"
)

func (p *page) checkJPEG() error {
	if p.bits != 8 {
		return unsupported("with JPEG of %d bits is not handled", p.bits)
	}
	if p.planar && p.photometric == ycbcr {
		return unsupported("with JPEG of YCbCr in planes is not handled")
	}
	alpha := p.photometric == rgb && p.samples == 4
	if p.photometric == palette || p.samples != p.colours && !p.planar && !alpha {
		return unsupported("with JPEG of %d samples (photometric interpretation %d) is not handled", p.samples, p.photometric)
	}
	return nil
}

// maxFill is how many rows a JPEG stream may have beyond its segment: some writers fill the
// last strip up.
const maxFill = 64

// unpackJPEG gives the rows of a segment to dst, of which each is a JPEG file without the
// tables that all share.
func (p *page) unpackJPEG(ctx context.Context, s segment, dst pixels, decodeJPEG JPEG) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	stream, err := p.joinJPEG(s.data)
	if err != nil {
		return err
	}
	img, err := decodeJPEG(ctx, stream, s.width, s.height+maxFill)
	if err != nil {
		return err
	}
	width, height := min(s.width, p.width-s.x), min(s.height, p.height-s.y)
	if img.Bounds().Dy() < height {
		return damaged("a JPEG stream of %d rows where there should be %d", img.Bounds().Dy(), height)
	}
	row := make([]byte, p.rowBytes(width))
	for y := range height {
		if !copyRow(row, img, y, width) {
			return damaged("a JPEG stream of another colour model than its image")
		}
		if err := dst.put(row, s.plane, s.x, s.y+y, width); err != nil {
			return err
		}
	}
	return nil
}

// copyRow writes the samples of a row of a decoded segment as uncompressed rows have them;
// false if they are not as many.
func copyRow(row []byte, img image.Image, y, width int) bool {
	switch img := img.(type) {
	case *image.Gray:
		return len(row) == width && copy(row, img.Pix[y*img.Stride:]) == width
	case *image.NRGBA:
		if len(row) != 3*width {
			return false
		}
		for x := range width {
			copy(row[3*x:3*x+3], img.Pix[y*img.Stride+4*x:])
		}
		return true
	case *image.CMYK: // of any four samples
		return len(row) == 4*width && copy(row, img.Pix[y*img.Stride:]) == len(row)
	}
	return false
}

// JPEG markers.
const (
	markSOI   = 0xd8
	markEOI   = 0xd9
	markSOS   = 0xda
	markAPP0  = 0xe0
	markAPP14 = 0xee
)

// adobe is Adobe's marker with its last byte, the transform, left out. A decoder takes
// from it whether three components are YCbCr (1) or RGB (0).
var adobe = []byte{0xff, markAPP14, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0}

// joinJPEG makes a JPEG file of the shared tables and a segment. What the photometric
// interpretation says of the colours counts, not what the segment says.
func (p *page) joinJPEG(data []byte) ([]byte, error) {
	transform := byte(0)
	if p.photometric == ycbcr {
		transform = 1
	}
	stream := append([]byte{0xff, markSOI}, append(slices.Clone(adobe), transform)...)
	for _, part := range [][]byte{p.jpegTables, data} {
		if len(part) == 0 && len(data) > 0 {
			continue // all tables are in the segment
		}
		if len(part) < 2 || part[0] != 0xff || part[1] != markSOI {
			return nil, damaged("a JPEG stream that does not begin as one")
		}
		stream = appendSegments(stream, part[2:])
	}
	return stream, nil
}

// appendSegments appends the segments of a JPEG file up to its end, or all from the first
// scan on, without those that say what the colours are.
func appendSegments(stream, part []byte) []byte {
	for len(part) >= 4 && part[0] == 0xff {
		if part[1] == 0xff { // a fill byte
			part = part[1:]
			continue
		}
		if part[1] == markSOS || part[1] == markEOI {
			break
		}
		n := min(2+int(part[2])<<8+int(part[3]), len(part))
		if part[1] != markAPP0 && part[1] != markAPP14 {
			stream = append(stream, part[:n]...)
		}
		part = part[n:]
	}
	if len(part) >= 2 && part[1] == markEOI { // of the tables
		return stream
	}
	return append(stream, part...)
}
