package serve

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/ascood/ascood/serve/scoring"
)

// TestMemoryPerPixel: what Config promises of the memory for images being decoded, for
// what costs most of each format, garbage included.
func TestMemoryPerPixel(t *testing.T) {
	const size = 2000
	deep := image.NewNRGBA64(image.Rect(0, 0, size, size))
	for i := range deep.Pix {
		deep.Pix[i] = 0xff
	}
	var packed bytes.Buffer
	if err := tiff.Encode(&packed, deep, &tiff.Options{Compression: tiff.Deflate}); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxPixels = size * size })
	v, err := s.models.Acquire("")
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	for name, file := range map[string][]byte{
		"progressive CMYK JPEG":           progressiveJPEG(4, 4, size),
		"progressive JPEG":                progressiveJPEG(3, 3, size),
		"interlaced PNG of 16 bits":       blackPNG(size, 16, 6, 1),
		"palette PNG":                     blackPNG(size, 8, 0, 0),
		"GIF of one pixel on a screen":    gifOnScreen(size),
		"lossless WebP":                   plainWebP(size),
		"deflated TIFF of 16 bits, alpha": packed.Bytes(),
	} {
		if _, err := v.Score(t.Context(), scoring.Image{File: progressiveJPEG(1, 1, 8)}, false); err != nil {
			t.Fatal(err) // libjpeg is there
		}
		used := allocated(func() {
			if _, err := v.Score(t.Context(), scoring.Image{File: file}, false); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		t.Logf("%-35s %.1f bytes a pixel", name, float64(used)/(size*size))
		if used > scoring.BytesPerPixel*size*size {
			t.Errorf("%s: %.1f bytes a pixel, more than %d", name, float64(used)/(size*size), scoring.BytesPerPixel)
		}
	}
}

// blackPNG has no pixel data, which leaves all pixels black.
func blackPNG(side uint32, depth, colours, interlaced byte) []byte {
	var none bytes.Buffer
	zlib.NewWriter(&none).Close()
	header := binary.BigEndian.AppendUint32(nil, side)
	header = binary.BigEndian.AppendUint32(header, side)
	header = append(header, depth, colours, 0, 0, interlaced)
	file := []byte("\x89PNG\r\n\x1a\n")
	for _, chunk := range []struct {
		kind string
		data []byte
	}{{"IHDR", header}, {"IDAT", none.Bytes()}, {"IEND", nil}} {
		file = binary.BigEndian.AppendUint32(file, uint32(len(chunk.data)))
		file = append(append(file, chunk.kind...), chunk.data...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file[len(file)-len(chunk.data)-4:]))
	}
	return file
}

// gifOnScreen has a frame of one pixel.
func gifOnScreen(side uint16) []byte {
	file := binary.LittleEndian.AppendUint16([]byte("GIF89a"), side)
	file = binary.LittleEndian.AppendUint16(file, side)
	file = append(file, "\x80\x00\x00\x01\x02\x03\x04\x05\x06"...) // two colours
	return append(file, ",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;"...)
}

// plainWebP is of one colour: five codes of one symbol, and no bits for the pixels.
func plainWebP(side uint64) []byte {
	bits, n := uint64(0), 0
	put := func(value uint64, width int) { bits, n = bits|value<<n, n+width }
	put(side-1, 14)
	put(side-1, 14)
	put(0, 1+3) // alpha, version
	put(0, 1+1+1)
	stream := []byte{0x2f}
	for range 5 {
		put(1, 1) // a simple code
		put(0, 1+1+1)
	}
	stream = binary.LittleEndian.AppendUint64(stream, bits)
	stream = append(stream, 0)
	file := append([]byte("RIFF\x00\x00\x00\x00WEBPVP8L"), byte(len(stream)), 0, 0, 0)
	file = append(file, stream...)
	file[4] = byte(len(file) - 8)
	return file
}
