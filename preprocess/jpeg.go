package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/libjpeg"
)

// maxScans is far above the ten or so scans that progressive JPEGs have. Each scan
// may cost a pass over all blocks of the image, however few bytes it has.
const maxScans = 100

// Markers of JPEG, each the byte after 0xff.
const (
	markerTEM  = 0x01
	markerSOF0 = 0xc0 // to 0xcf, but for the next three
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerRST0 = 0xd0
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP1 = 0xe1
)

func decodeJPEG(s *source) (image.Image, error) {
	scans := countScans(s.file)
	if scans > maxScans {
		return nil, unsupportedJPEG(fmt.Sprintf("it has %d scans, more than %d", scans, maxScans))
	}
	img, truncated, err := libjpeg.Decode(s.ctx, s.file, s.size)
	if fault, ok := errors.AsType[*libjpeg.Error](err); ok {
		if fault.Damaged {
			return nil, ascood.Errorf(ascood.Invalid, "damaged JPEG: %w", fault)
		}
		return nil, unsupportedJPEG(fault.Text)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && s.Truncated == Fill && scans > 0 {
		// It ends between pixels, where PIL has none yet.
		return image.NewGray(image.Rectangle{Max: s.size}), nil
	}
	if err != nil {
		return nil, err
	}
	if truncated && s.Truncated != Fill {
		return nil, errTruncated
	}
	if cmyk, ok := img.(*image.CMYK); ok { // inverted, as all programs write it
		for i, v := range cmyk.Pix {
			cmyk.Pix[i] = 255 - v
		}
	}
	return img, nil
}

func unsupportedJPEG(what string) error {
	return ascood.Errorf(ascood.Unsupported, "JPEG that is not handled: %s; save it as an ordinary JPEG", what)
}

// jpegSize returns what the header of the frame says.
func jpegSize(file []byte) (image.Point, error) {
	for marker, data := range segments(file) {
		switch marker {
		case markerDHT, markerJPG, markerDAC:
			continue
		case markerSOS:
			return image.Point{}, ascood.Errorf(ascood.Invalid, "damaged JPEG: pixels come before their size")
		}
		if marker&^0xf != markerSOF0 {
			continue
		}
		if len(data) < 5 {
			break
		}
		size := image.Pt(int(binary.BigEndian.Uint16(data[3:])), int(binary.BigEndian.Uint16(data[1:])))
		switch {
		case marker&3 == 3:
			return size, unsupportedJPEG("it is lossless")
		case marker > 0xc2 && marker != 0xc9 && marker != 0xca:
			return size, unsupportedJPEG("it is hierarchical, or arithmetically coded in an unusual way")
		case data[0] != 8:
			return size, unsupportedJPEG("it does not have 8 bits a channel")
		case size.Y == 0:
			return size, unsupportedJPEG("its height is not in its header")
		}
		return size, nil
	}
	return image.Point{}, errTruncated
}

func countScans(file []byte) (scans int) {
	for marker := range segments(file) {
		if marker == markerSOS {
			scans++
		}
	}
	return scans
}

// segments yields the marker segments of a JPEG, in order, each with what follows
// its length; it passes over the entropy-coded data between them.
func segments(file []byte) iter.Seq2[byte, []byte] {
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
