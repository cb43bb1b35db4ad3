package preprocess

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// TestDecodeFormats compares with PIL, bit for bit.
func TestDecodeFormats(t *testing.T) {
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
		t.Run(filepath.Base(path), func(t *testing.T) {
			got, want := decodeFile(t, path), decodeFile(t, expected)
			if got.Rect != want.Rect {
				t.Fatalf("bounds %v, want %v", got.Rect, want.Rect)
			}
			if worst, share := difference(got.Pix, want.Pix); worst > 0 {
				t.Errorf("values differ by up to %d levels (%.1f%% of them)", worst, 100*share)
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
	img, err := Reading{}.DecodeFile(t.Context(), path, DefaultMaxPixels)
	if err != nil {
		t.Fatal(err)
	}
	return pixelsOf(img)
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
		"16-bit gray":        {gray, []uint8{0xff, 0xff, 0xff, 0xff}},
		"16 bits":            {opaque16, []uint8{0x12, 0xab, 0xff, 0xff}},
	} {
		var file bytes.Buffer
		if err := png.Encode(&file, test.img); err != nil {
			t.Fatal(err)
		}
		got, err := Reading{}.Decode(t.Context(), file.Bytes(), DefaultMaxPixels)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if pixels := pixelsOf(got).Pix; !bytes.Equal(pixels, test.want) {
			t.Errorf("%s: pixels % x, want % x", name, pixels, test.want)
		}
	}
}

func TestDecodeWrongInput(t *testing.T) {
	photo := testFile(t, "testdata/formats/420.jpg")
	tables := bytes.Index(photo, []byte("\xff\xdb")) // of quantisation
	frame := bytes.Index(photo, []byte("\xff\xc0"))
	tests := map[string]struct {
		data []byte
		code ascood.Code
		want string
	}{
		"without tables":   {slices.Concat(photo[:tables], photo[frame:]), ascood.Invalid, "damaged JPEG: Quantization table 0x00 was not defined"},
		"HEIC":             {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), ascood.Unsupported, "this is a HEIC image; JPEG, PNG, GIF, BMP, TIFF and WebP images are handled: save it as JPEG or PNG"},
		"AVIF":             {[]byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00"), ascood.Unsupported, "this is an AVIF image"},
		"empty":            {nil, ascood.Invalid, "0 bytes"},
		"no image":         {[]byte("relative/path 3\n"), ascood.Unsupported, "not an image in a known format"},
		"truncated JPEG":   {photo[:len(photo)/2], ascood.Invalid, "truncated image"},
		"JPEG header only": {photo[:20], ascood.Invalid, "truncated image"},
		"truncated PNG":    {testFile(t, "testdata/formats/rgb.png")[:900], ascood.Invalid, "truncated image"},
		"truncated GIF":    {testFile(t, "testdata/formats/still.gif")[:400], ascood.Invalid, "truncated image"},
		"huge PNG":         {pngHeader(50_000, 50_000), ascood.TooLarge, "50000x50000 pixels: the limit is 67108864"},
		"empty PNG":        {pngHeader(0, 5), ascood.Invalid, "damaged PNG"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Reading{}.Decode(t.Context(), test.data, DefaultMaxPixels)
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
	if _, err := (Reading{}).Decode(t.Context(), header, DefaultMaxPixels); err == nil {
		t.Fatal("no error")
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100_000 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

func TestDecodePixelLimit(t *testing.T) {
	data := testFile(t, "testdata/formats/rgb.png") // 41 x 30
	if _, err := (Reading{}).Decode(t.Context(), data, 41*30); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := (Reading{}).Decode(t.Context(), data, 41*30-1); ascood.CodeOf(err) != ascood.TooLarge {
		t.Errorf("above the limit: %v, want %s", err, ascood.TooLarge)
	}
}

// TestDecodeEnds: whoever does not wait any more is told why.
func TestDecodeEnds(t *testing.T) {
	cause := errors.New("the client left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for _, name := range []string{"420.jpg", "progressive.jpg", "rgb.png", "still.gif", "rgb.bmp", "rgb.tif", "lossy.webp", "lossless.webp"} {
		path := "testdata/formats/" + name
		if _, err := (Reading{}).Decode(ctx, testFile(t, path), DefaultMaxPixels); !errors.Is(err, cause) {
			t.Errorf("%s: %v, want %v", name, err, cause)
		}
		if _, err := (Reading{}).DecodeFile(ctx, path, DefaultMaxPixels); !errors.Is(err, cause) {
			t.Errorf("the file %s: %v, want %v", name, err, cause)
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
		_, err := Reading{}.DecodeFile(t.Context(), path, DefaultMaxPixels)
		if code := ascood.CodeOf(err); code != ascood.Invalid && code != ascood.Unsupported || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error of the file that names it", path, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, files := range []string{"testdata/formats/*", "testdata/variants/*", "../internal/tiff/testdata/*.tif", "../internal/bmp/testdata/*.bmp"} {
		paths, err := filepath.Glob(files)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			f.Add(testFile(f, path))
		}
	}
	f.Add(pngHeader(50_000, 50_000))
	f.Add(badPalette())
	config := presets["cifar10"]
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Reading{Truncated: Fill, Orientation: Apply}.Decode(t.Context(), data, 1<<16)
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
	data := testFile(b, "testdata/crops/photo-420-400x300.jpg")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Reading{}).Decode(b.Context(), data, DefaultMaxPixels); err != nil {
			b.Fatal(err)
		}
	}
}

func testFile(t testing.TB, path string) []byte {
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

// TestDecodeFolder: a folder is called one.
func TestDecodeFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := (Reading{}).DecodeFile(t.Context(), dir, DefaultMaxPixels); err == nil || err.Error() != dir+": a folder, not an image" {
		t.Errorf("error %v, want one that says that it is a folder", err)
	}
}
