package preprocess

import (
	"compress/lzw"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"

	"github.com/ascood/ascood"
)

// gifFrame is the first frame of a GIF. Package image/gif loses the colour that a
// frame's own palette has for transparent pixels, and refuses much that PIL reads:
// frames beyond the screen, files without a palette, unknown extensions.
type gifFrame struct {
	bounds      image.Rectangle
	screen      image.Point // grown to hold the frame, as in PIL
	palette     color.Palette
	transparent uint8 // the colour of what the frame leaves out, the first if it has none
	interlaced  bool
	codeBits    int    // of LZW
	blocks      []byte // of pixels
}

func gifSize(file []byte) (image.Point, error) {
	f, err := parseGIF(file)
	return f.screen, err
}

func decodeGIF(s *source) (image.Image, error) {
	f, err := parseGIF(s.file)
	if err != nil {
		return nil, err
	}
	screen := image.NewPaletted(image.Rectangle{Max: s.size}, f.palette)
	for i := range screen.Pix {
		screen.Pix[i] = f.transparent
	}
	err = f.unpack(screen, &reader{s.ctx, &gifBlocks{rest: f.blocks}})
	if s.Truncated == Fill && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		err = nil
	}
	return screen, err
}

// unpack writes the frame's pixels to the screen.
func (f *gifFrame) unpack(screen *image.Paletted, blocks io.Reader) error {
	pixels := lzw.NewReader(blocks, lzw.LSB, f.codeBits)
	defer pixels.Close()
	passes := []struct{ from, step int }{{0, 1}}
	if f.interlaced {
		passes = []struct{ from, step int }{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
	}
	for _, pass := range passes {
		for y := pass.from; y < f.bounds.Dy(); y += pass.step {
			at := screen.PixOffset(f.bounds.Min.X, f.bounds.Min.Y+y)
			if _, err := io.ReadFull(pixels, screen.Pix[at:at+f.bounds.Dx()]); err != nil {
				return err
			}
		}
	}
	return nil
}

// gifParser reads a GIF from its beginning.
type gifParser struct{ rest []byte }

// take returns the next n bytes, zeros where the file has ended.
func (p *gifParser) take(n int) []byte {
	if len(p.rest) < n {
		p.rest = nil
		return make([]byte, n)
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

// palette reads the palette that flags announce, nil if they do not.
func (p *gifParser) palette(flags byte) color.Palette {
	const present, size = 0x80, 0x07
	if flags&present == 0 {
		return nil
	}
	palette := make(color.Palette, 2<<(flags&size))
	for i := range palette {
		c := p.take(3)
		palette[i] = color.NRGBA{c[0], c[1], c[2], 0xff}
	}
	return palette
}

// parseGIF reads a file up to the pixels of its first frame.
func parseGIF(file []byte) (gifFrame, error) {
	const extension, graphics, frame, end, signatureLen = '!', 0xf9, ',', ';', 6
	p := &gifParser{file[signatureLen:]}
	header := p.take(7)
	f := gifFrame{screen: point(header), palette: p.palette(header[4])}
	for len(p.rest) > 0 {
		switch p.take(1)[0] {
		case extension:
			label := p.take(1)[0]
			blocks := &gifBlocks{rest: p.rest}
			if data := blocks.next(); label == graphics && len(data) >= 4 && data[0]&1 != 0 {
				f.transparent = data[3]
			}
			for blocks.next() != nil {
			}
			p.rest = blocks.rest
		case frame:
			return f, f.parse(p)
		case end:
			return f, ascood.Errorf(ascood.Invalid, "damaged GIF: it holds no image")
		}
	}
	return f, io.ErrUnexpectedEOF
}

// parse reads what is said of the frame itself.
func (f *gifFrame) parse(p *gifParser) error {
	const interlaced = 0x40
	header := p.take(9)
	f.bounds = image.Rectangle{Max: point(header[4:])}.Add(point(header))
	f.screen = image.Pt(max(f.screen.X, f.bounds.Max.X), max(f.screen.Y, f.bounds.Max.Y))
	f.interlaced = header[8]&interlaced != 0
	if own := p.palette(header[8]); own != nil {
		f.palette = own
	}
	if f.palette == nil {
		f.palette = grays()
	}
	f.codeBits = int(p.take(1)[0])
	f.blocks = p.rest
	if len(p.rest) > 0 && (f.codeBits < 2 || f.codeBits > 8) {
		return ascood.Errorf(ascood.Invalid, "damaged GIF: codes of %d bits; want 2 to 8", f.codeBits)
	}
	if len(p.rest) == 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// grays is the palette of a file without one.
func grays() color.Palette {
	palette := make(color.Palette, 256)
	for i := range palette {
		palette[i] = color.Gray{uint8(i)}
	}
	return palette
}

func point(b []byte) image.Point {
	return image.Pt(int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:])))
}

// gifBlocks reads the data of a sequence of blocks, each behind its length.
type gifBlocks struct {
	rest  []byte // of the file
	block []byte // what is yet to be read of the present one
}

// next returns the next block, nil at the end of the sequence. A block that is not all
// there is none, as in PIL.
func (b *gifBlocks) next() []byte {
	if len(b.rest) == 0 {
		return nil
	}
	n := int(b.rest[0])
	if n >= len(b.rest) {
		b.rest = nil
		return nil
	}
	block := b.rest[1 : 1+n]
	b.rest = b.rest[1+n:]
	if n == 0 {
		return nil
	}
	return block
}

func (b *gifBlocks) Read(p []byte) (int, error) {
	if len(b.block) == 0 {
		b.block = b.next()
	}
	if b.block == nil {
		return 0, io.EOF
	}
	n := copy(p, b.block)
	b.block = b.block[n:]
	return n, nil
}
