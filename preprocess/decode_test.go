package preprocess

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ascood/ascood"
)

// TestDecodeFormats compares with PIL. Lossless formats must agree exactly; the
// others come from different inverse transforms.
func TestDecodeFormats(t *testing.T) {
	lossy := map[string]int{ // levels that a value may differ by
		"444.jpg": 2, "422.jpg": 2, "420.jpg": 3, "progressive.jpg": 3, "gray.jpg": 1, "narrow.jpg": 2,
		"cmyk.jpg": 2, "lossy.webp": 2, "lossy-alpha.webp": 2,
	}
	paths, err := filepath.Glob("testdata/formats/*.png")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, expected := range paths {
		path := strings.TrimSuffix(expected, ".png")
		if filepath.Ext(path) == "" {
			continue // an input
		}
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			got, want := decodeFile(t, path), decodeFile(t, expected)
			if got.Rect != want.Rect {
				t.Fatalf("bounds %v, want %v", got.Rect, want.Rect)
			}
			if worst, share := difference(got.Pix, want.Pix); worst > lossy[name] {
				t.Errorf("values differ by up to %d levels (%.1f%% of them), want at most %d", worst, 100*share, lossy[name])
			}
		})
		tested++
	}
	if tested != 25 {
		t.Errorf("tested %d formats, want 25", tested)
	}
}

// decodeFile returns the pixels of an image as Crop sees them.
func decodeFile(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	img, err := DecodeFile(path, DefaultMaxPixels)
	if err != nil {
		t.Fatal(err)
	}
	return pixelsOf(img)
}

func pixelsOf(img image.Image) *image.NRGBA {
	bounds := img.Bounds()
	dst := image.NewNRGBA(bounds)
	source := new(rowReader).open(img, bounds)
	for y := range bounds.Dy() {
		copy(dst.Pix[y*dst.Stride:], source.row(bounds.Min.Y+y))
	}
	return dst
}

// difference returns the largest difference of two values and the share of
// values that differ.
func difference(a, b []uint8) (worst int, share float64) {
	if len(a) != len(b) {
		return 256, 1
	}
	differing := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		if d != 0 {
			differing++
		}
		worst = max(worst, d, -d)
	}
	return worst, float64(differing) / float64(len(a))
}

// TestDecodeKeepsStraightColour uses the models in which PNG stores alpha, and
// 16 bits.
func TestDecodeKeepsStraightColour(t *testing.T) {
	bounds := image.Rect(0, 0, 2, 1)
	deep := image.NewNRGBA64(bounds)
	deep.SetNRGBA64(0, 0, color.NRGBA64{R: 0x1234, G: 0xabcd, B: 0xff80, A: 0x0100})
	deep.SetNRGBA64(1, 0, color.NRGBA64{R: 0xfedc, G: 0x0001, B: 0x8000, A: 0})
	flat := image.NewNRGBA(bounds)
	flat.SetNRGBA(0, 0, color.NRGBA{R: 0x12, G: 0xab, B: 0xff, A: 1})
	flat.SetNRGBA(1, 0, color.NRGBA{R: 0xfe, G: 0x00, B: 0x80, A: 0})
	gray := image.NewGray16(image.Rect(0, 0, 1, 1))
	gray.SetGray16(0, 0, color.Gray16{Y: 0x7fff})
	opaque16 := image.NewRGBA64(image.Rect(0, 0, 1, 1))
	opaque16.SetRGBA64(0, 0, color.RGBA64{R: 0x1234, G: 0xabcd, B: 0xff80, A: 0xffff})
	for name, test := range map[string]struct {
		img  image.Image
		want []uint8
	}{
		"16 bits with alpha": {deep, []uint8{0x12, 0xab, 0xff, 0xff, 0xfe, 0x00, 0x80, 0xff}},
		"8 bits with alpha":  {flat, []uint8{0x12, 0xab, 0xff, 0xff, 0xfe, 0x00, 0x80, 0xff}},
		"16-bit gray":        {gray, []uint8{0x7f, 0x7f, 0x7f, 0xff}},
		"16 bits":            {opaque16, []uint8{0x12, 0xab, 0xff, 0xff}},
	} {
		var file bytes.Buffer
		if err := png.Encode(&file, test.img); err != nil {
			t.Fatal(err)
		}
		got, err := Decode(&file, DefaultMaxPixels)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if pixels := pixelsOf(got).Pix; !bytes.Equal(pixels, test.want) {
			t.Errorf("%s: pixels % x, want % x", name, pixels, test.want)
		}
	}
}

func TestDecodeWrongInput(t *testing.T) {
	photo := readFile(t, "testdata/formats/420.jpg")
	tests := map[string]struct {
		data []byte
		code ascood.Code
		want string
	}{
		"empty":            {nil, ascood.Invalid, "0 bytes"},
		"no image":         {[]byte("relative/path 3\n"), ascood.Invalid, "not an image in a known format"},
		"truncated JPEG":   {photo[:len(photo)/2], ascood.Invalid, "truncated image"},
		"JPEG header only": {photo[:20], ascood.Invalid, "truncated image"},
		"truncated PNG":    {readFile(t, "testdata/formats/rgb.png")[:900], ascood.Invalid, "not enough pixel data"},
		"truncated GIF":    {readFile(t, "testdata/formats/still.gif")[:400], ascood.Invalid, "damaged image"},
		"huge PNG":         {pngHeader(50_000, 50_000), ascood.TooLarge, "50000x50000 pixels: the limit is 67108864"},
		"empty PNG":        {pngHeader(0, 5), ascood.Invalid, "damaged image"},
		"animated WebP":    {readFile(t, "testdata/formats/animated.webp"), ascood.Unsupported, "animated WebP"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(bytes.NewReader(test.data), DefaultMaxPixels)
			if err == nil {
				t.Fatal("no error")
			}
			if ascood.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %s %q, want %s with %q", ascood.CodeOf(err), err, test.code, test.want)
			}
		})
	}
}

// TestDecodeHugeHeaderTakesNoMemory: 50,000 x 50,000 pixels would be 10 GB.
func TestDecodeHugeHeaderTakesNoMemory(t *testing.T) {
	header := pngHeader(50_000, 50_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Decode(bytes.NewReader(header), DefaultMaxPixels); err == nil {
		t.Fatal("no error")
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100_000 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

func TestDecodePixelLimit(t *testing.T) {
	data := readFile(t, "testdata/formats/rgb.png") // 41 x 30
	if _, err := Decode(bytes.NewReader(data), 41*30); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := Decode(bytes.NewReader(data), 41*30-1); ascood.CodeOf(err) != ascood.TooLarge {
		t.Errorf("above the limit: %v, want %s", err, ascood.TooLarge)
	}
}

// TestDecodePassesReadErrors: a server must tell its own limits from bad images.
func TestDecodePassesReadErrors(t *testing.T) {
	cause := errors.New("body too large")
	photo := readFile(t, "testdata/formats/420.jpg")
	for _, n := range []int{0, 3, 500} {
		r := io.MultiReader(bytes.NewReader(photo[:n]), iotest.ErrReader(cause))
		if _, err := Decode(r, DefaultMaxPixels); !errors.Is(err, cause) {
			t.Errorf("error after %d bytes: %v, want %v", n, err, cause)
		}
	}
}

func TestDecodeFileNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.jpg")
	if err := os.WriteFile(bad, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, dir, filepath.Join(dir, "missing.jpg")} {
		_, err := DecodeFile(path, DefaultMaxPixels)
		if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error of code %s that names it", path, err, ascood.Invalid)
		}
	}
}

// TestOnScreen: a first frame smaller than the screen sits at its offset, and
// the rest has the palette's first colour.
func TestOnScreen(t *testing.T) {
	palette := color.Palette{color.RGBA{1, 2, 3, 255}, color.RGBA{4, 5, 6, 255}}
	frame := image.NewPaletted(image.Rect(1, 1, 2, 2), palette)
	frame.Pix[0] = 1
	img, err := opaque(onScreen(frame, image.Config{Width: 2, Height: 2, ColorModel: palette}), "gif")
	if err != nil {
		t.Fatal(err)
	}
	want := []uint8{1, 2, 3, 255, 1, 2, 3, 255, 1, 2, 3, 255, 4, 5, 6, 255}
	if pixels := pixelsOf(img).Pix; !bytes.Equal(pixels, want) {
		t.Errorf("pixels %v, want %v", pixels, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, files := range []string{"testdata/formats/*", "../internal/tiff/testdata/*.tif", "../internal/bmp/testdata/*.bmp"} {
		paths, err := filepath.Glob(files)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			f.Add(readFile(f, path))
		}
	}
	f.Add(pngHeader(50_000, 50_000))
	f.Add(badPalette())
	config := presets["cifar10"]
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Decode(bytes.NewReader(data), 1<<16)
		if err != nil {
			return
		}
		if b := img.Bounds(); b.Min != (image.Point{}) || b.Empty() || b.Dx()*b.Dy() > 1<<16 {
			t.Fatalf("bounds %v", b)
		}
		if opaque, ok := img.(interface{ Opaque() bool }); !ok || !opaque.Opaque() {
			t.Fatal("not opaque")
		}
		config.Crop(img)
	})
}

func BenchmarkDecodeJPEG400x300(b *testing.B) {
	data := readFile(b, "testdata/crops/photo-420-400x300.jpg")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(bytes.NewReader(data), DefaultMaxPixels); err != nil {
			b.Fatal(err)
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pngHeader is the beginning of a PNG of the given size.
func pngHeader(width, height uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 2, 0, 0, 0)
	data := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	data = append(data, chunk...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(chunk))
}

// badPalette is a BMP of 1x1 pixels whose one index is outside its palette.
func badPalette() []byte {
	data := append([]byte("BM"), make([]byte, 52)...)
	put := binary.LittleEndian.PutUint32
	put(data[10:], 54+4) // where pixels begin
	put(data[14:], 40)
	put(data[18:], 1)
	put(data[22:], 1)
	data[26], data[28] = 1, 8
	put(data[46:], 1) // colours
	return append(data, 10, 20, 30, 0, 7, 0, 0, 0)
}
