package bmp

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// TestReference compares with PIL, bit for bit.
func TestReference(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.bmp")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got, err := decode(readFile(t, path))
			if err != nil {
				t.Fatal(err)
			}
			reference, err := png.Decode(bytes.NewReader(readFile(t, path+".png")))
			if err != nil {
				t.Fatal(err)
			}
			want := image.NewNRGBA(reference.Bounds())
			draw.Draw(want, want.Rect, reference, image.Point{}, draw.Src)
			if got.Rect != want.Rect {
				t.Fatalf("bounds %v, want %v", got.Rect, want.Rect)
			}
			for i := range want.Pix {
				if got.Pix[i] != want.Pix[i] {
					t.Fatalf("pixel %d,%d is %v, want %v", i/4%want.Rect.Dx(), i/4/want.Rect.Dx(), got.Pix[i/4*4:][:4], want.Pix[i/4*4:][:4])
				}
			}
		})
	}
	if len(paths) != 82 {
		t.Errorf("tested %d files, want 82", len(paths))
	}
}

func decode(file []byte) (*image.NRGBA, error) { return Decode(context.Background(), file) }

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// file is a BMP with a palette of which colour i is i, i, i.
func file(width, height, bits int, compression uint32, pixels ...byte) []byte {
	info := order.AppendUint32(nil, infoHeader)
	info = order.AppendUint32(order.AppendUint32(info, uint32(width)), uint32(height))
	info = order.AppendUint16(order.AppendUint16(info, 1), uint16(bits))
	info = append(order.AppendUint32(info, compression), make([]byte, 20)...)
	for i := range 1 << min(bits, 8) {
		if bits <= 8 {
			info = append(info, byte(i), byte(i), byte(i), 0)
		}
	}
	start := order.AppendUint32(make([]byte, 8), uint32(fileHeader+len(info)))
	return append(append(append([]byte("BM"), start...), info...), pixels...)
}

// TestRuns: rows from the lowest up. PIL reads pixels of the wrong place after these escapes.
func TestRuns(t *testing.T) {
	for name, test := range map[string]struct {
		bits        int
		compression uint32
		data        []byte
		want        string
	}{
		"moving right and up":        {8, rle8, []byte{1, 9, 0, delta, 2, 2, 2, 7, 0, endOfBitmap}, "[0 0 0 7 7] [0 0 0 0 0] [9 0 0 0 0]"},
		"nibbles that are odd":       {4, rle4, []byte{0, 3, 0x12, 0x30, 2, 0x45, 0, endOfLine, 0, endOfBitmap}, "[0 0 0 0 0] [0 0 0 0 0] [1 2 3 4 5]"},
		"indices that are odd":       {8, rle8, []byte{0, 3, 1, 2, 3, 0, 2, 4, 0, endOfBitmap}, "[0 0 0 0 0] [0 0 0 0 0] [1 2 3 4 4]"},
		"an end that comes early":    {8, rle8, []byte{5, 6, 0, endOfBitmap}, "[0 0 0 0 0] [0 0 0 0 0] [6 6 6 6 6]"},
		"rows that end early":        {8, rle8, []byte{2, 6, 0, endOfLine, 3, 5, 0, endOfLine, 5, 4}, "[4 4 4 4 4] [5 5 5 0 0] [6 6 0 0 0]"},
		"runs that leave the bitmap": {8, rle8, []byte{0, delta, 200, 200, 9, 9, 0, endOfBitmap}, "[0 0 0 0 0] [0 0 0 0 0] [0 0 0 0 0]"},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := decode(file(5, 3, test.bits, test.compression, test.data...))
			if err != nil {
				t.Fatal(err)
			}
			if got := levels(img); got != test.want {
				t.Errorf("levels %s, want %s", got, test.want)
			}
		})
	}
}

// levels are the red of all pixels.
func levels(img *image.NRGBA) string {
	var rows []string
	for y := range img.Rect.Dy() {
		var row []string
		for x := range img.Rect.Dx() {
			row = append(row, string('0'+img.NRGBAAt(x, y).R))
		}
		rows = append(rows, "["+strings.Join(row, " ")+"]")
	}
	return strings.Join(rows, " ")
}

// TestErrors: what is sound but not handled says what it is and what to do, and only what is
// damaged is called so.
func TestErrors(t *testing.T) {
	edit := func(at int, value byte) []byte {
		data := file(5, 3, 8, uncompressed, make([]byte, 24)...)
		data[at] = value
		return data
	}
	const bits, compression = fileHeader + 14, fileHeader + 16
	sound := edit(0, 'B')
	for name, test := range map[string]struct {
		file []byte
		code ascood.Code
		want string
	}{
		"64 bits":           {edit(bits, 64), ascood.Unsupported, "BMP with 64 bits a pixel is not handled; save it"},
		"JPEG inside":       {edit(compression, embeddedJPEG), ascood.Unsupported, "BMP that holds a JPEG image"},
		"PNG inside":        {edit(compression, embeddedPNG), ascood.Unsupported, "BMP that holds a PNG image"},
		"compression":       {edit(compression, 99), ascood.Unsupported, "BMP with compression 99"},
		"RLE4 of 8 bits":    {edit(compression, rle4), ascood.Invalid, "compression 2 of 8 bits a pixel"},
		"no width":          {edit(fileHeader+4, 0), ascood.Invalid, "0x3 pixels"},
		"cut off":           {sound[:len(sound)-4], ascood.Invalid, "truncated image: the BMP ends before its pixels"},
		"no header":         {sound[:17], ascood.Invalid, "does not begin as one"},
		"a text":            {[]byte("BMP files are old, and there are many kinds"), ascood.Invalid, "does not begin as one"},
		"cut in its header": {sound[:40], ascood.Invalid, "ends in its header"},
		"runs that end":     {file(5, 3, 8, rle8, 5, 1, 0, endOfLine), ascood.Invalid, "its runs end in row 2 of 3"},
		"masks":             {append(file(1, 1, 32, bitFields, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0), 1, 2, 3, 4), ascood.Invalid, "the mask 0x5 for a colour"},
		"masks cut off":     {file(1, 1, 32, bitFields, 5, 0), ascood.Invalid, "ends in its masks"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(test.file)
			if ascood.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s %v, want %s with %q", ascood.CodeOf(err), err, test.code, test.want)
			}
		})
	}
}

// TestSize: the size is known without memory for the image.
func TestSize(t *testing.T) {
	size, err := Size(file(1<<30, 1<<29, 8, uncompressed))
	if err != nil || size != image.Pt(1<<30, 1<<29) {
		t.Errorf("got %v, %v", size, err)
	}
}

// TestDecodeEndsWithItsContext: a row or a run is the most that is unpacked after that.
func TestDecodeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("nobody waits")
	cancel(cause)
	for _, compression := range []uint32{uncompressed, rle8} {
		_, err := Decode(ctx, file(5, 3, 8, compression, make([]byte, 24)...))
		if !errors.Is(err, cause) {
			t.Errorf("compression %d: got %v, want %v", compression, err, cause)
		}
	}
}

// FuzzDecode: damaged files give an error or an image of the size that was told.
func FuzzDecode(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.bmp")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		f.Add(readFile(f, path))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		size, err := Size(file)
		if err != nil || size.X > 1<<14/size.Y {
			return
		}
		img, err := decode(file)
		if err == nil && img.Rect != image.Rect(0, 0, size.X, size.Y) {
			t.Errorf("bounds %v, want the size %v", img.Rect, size)
		}
	})
}
