package preprocess

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/draw"
	"io"
	"iter"

	"golang.org/x/image/webp"

	"github.com/ascood/ascood"
)

// webpFrame is the image of a WebP file, of an animated one the first. Its alpha is
// passed over.
type webpFrame struct {
	canvas image.Point // the zero point: as large as the frame
	at     image.Point // on the canvas
	file   []byte      // a WebP file of the frame's pixels alone
	size   image.Point
}

func webpSize(file []byte) (image.Point, error) {
	f, err := parseWebP(file)
	if err != nil || f.canvas == (image.Point{}) {
		return f.size, err
	}
	return f.canvas, nil
}

func decodeWebP(s *source) (image.Image, error) {
	f, err := parseWebP(s.file)
	if err != nil {
		return nil, err
	}
	img, err := webp.Decode(&reader{s.ctx, bytes.NewReader(f.file)})
	if err != nil {
		return nil, err
	}
	img, err = opaqueWebP(img)
	if err != nil || f.size == s.size {
		return img, err
	}
	canvas := image.NewNRGBA(image.Rectangle{Max: s.size})
	setOpaque(canvas.Pix)
	draw.Draw(canvas, img.Bounds().Add(f.at), img, image.Point{}, draw.Src)
	return canvas, nil
}

// opaqueWebP converts by WebP's rules, which differ from JPEG's.
func opaqueWebP(img image.Image) (image.Image, error) {
	switch img := img.(type) {
	case *image.YCbCr:
		return fromWebP(img), nil
	case *image.NRGBA:
		setOpaque(img.Pix)
		return img, nil
	}
	return nil, ascood.Errorf(ascood.Unsupported, "WebP images of colour model %T are not handled", img)
}

// parseWebP finds the frame.
func parseWebP(file []byte) (f webpFrame, err error) {
	const riffHeader, animation = 12, 1 << 1
	chunks := file[riffHeader:]
	for kind, data := range riffChunks(chunks) {
		switch {
		case kind == "VP8X" && len(data) >= 10 && data[0]&animation != 0:
			f.canvas = image.Pt(1+uint24(data[4:]), 1+uint24(data[7:]))
		case kind == "ANMF" && len(data) >= 16:
			f.at = image.Pt(2*uint24(data), 2*uint24(data[3:]))
			if err := f.pixels(data[16:]); err != nil {
				return f, err
			}
			if end := f.at.Add(f.size); end.X > f.canvas.X || end.Y > f.canvas.Y {
				return f, ascood.Errorf(ascood.Invalid, "damaged WebP: its first frame reaches beyond the image")
			}
			return f, nil
		}
	}
	f.canvas = image.Point{}
	return f, f.pixels(chunks)
}

// pixels makes a file of the first chunk of pixels.
func (f *webpFrame) pixels(chunks []byte) error {
	for kind, data := range riffChunks(chunks) {
		if kind != "VP8 " && kind != "VP8L" {
			continue
		}
		file := []byte("RIFF\x00\x00\x00\x00WEBP" + kind)
		file = binary.LittleEndian.AppendUint32(file, uint32(len(data)))
		file = append(file, data...)
		if len(data)%2 != 0 {
			file = append(file, 0)
		}
		binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-8))
		config, err := webp.DecodeConfig(bytes.NewReader(file))
		f.file, f.size = file, image.Pt(config.Width, config.Height)
		return err
	}
	return io.ErrUnexpectedEOF
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// riffChunks yields chunks, kind and data. Of the last one it is what is there.
func riffChunks(rest []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		const header = 8
		for len(rest) >= header {
			length := int(min(int64(binary.LittleEndian.Uint32(rest[4:])), int64(len(rest)-header)))
			if !yield(string(rest[:4]), rest[header:header+length]) {
				return
			}
			rest = rest[header+length:]
			rest = rest[min(length%2, len(rest)):]
		}
	}
}
