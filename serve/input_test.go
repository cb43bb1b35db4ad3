package serve

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// gray128 is what the images below show.
var gray128 = color.Gray{Y: 128}

func TestFormats(t *testing.T) {
	bounds := image.Rect(0, 0, side, side)
	gray16 := uniform(image.NewGray16(bounds), gray128)
	rgba64 := uniform(image.NewNRGBA64(bounds), gray128)
	paletted := uniform(image.NewPaletted(bounds, palette.WebSafe), color.Gray{Y: 0x99})
	dark := uniform(image.NewPaletted(bounds, palette.WebSafe), color.Black)
	var animated bytes.Buffer
	if err := gif.EncodeAll(&animated, &gif.GIF{Image: []*image.Paletted{paletted, dark, dark}, Delay: []int{1, 1, 1}}); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, &fakeModel{})
	for _, tt := range []struct {
		name  string
		file  []byte
		score float64
	}{
		{"16-bit gray PNG is clipped, as in training", encodePNG(t, gray16), 1},
		{"16-bit colour PNG", encodePNG(t, rgba64), 128. / 255},
		{"palette PNG", encodePNG(t, paletted), 0.6},
		{"animated GIF shows its first frame", animated.Bytes(), 0.6},
		{"JPEG", grayJPEG(t), 128. / 255},
	} {
		t.Run(tt.name, func(t *testing.T) { wantScore(t, do(s, raw(tt.file)), tt.score) })
	}
	for _, name := range []string{"cmyk.jpg", "progressive.jpg", "rgb.bmp", "rgb.tif", "lossy.webp", "lossless-alpha.webp"} {
		t.Run(name, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join("..", "preprocess", "testdata", "formats", name))
			if err != nil {
				t.Fatal(err)
			}
			if w := do(s, raw(file)); w.Code != http.StatusOK {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
}

// What an image is shows in its content alone.
func TestContentTypeIsIgnored(t *testing.T) {
	s := newServer(t, &fakeModel{})
	for _, contentType := range []string{"", "image/jpeg", "text/plain", "application/x-www-form-urlencoded", "application/json", "a;b;c"} {
		r := raw(grayPNG(t, 128))
		r.Header.Set("Content-Type", contentType)
		t.Run(contentType, func(t *testing.T) { wantScore(t, do(s, r), 128./255) })
	}
}

func TestWrongInput(t *testing.T) {
	image := grayPNG(t, 128)
	broken := raw([]byte("--x\r\nno form"))
	broken.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	unbound := raw(image)
	unbound.Header.Set("Content-Type", "multipart/form-data")
	empty := raw([]byte("--x--\r\n"))
	empty.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	packed := raw(image)
	packed.Header.Set("Content-Encoding", "gzip")
	cut := form(t, file{"image", "a.png", image})
	cut.Body = io.NopCloser(io.LimitReader(cut.Body, 250))

	s := newServer(t, &fakeModel{}, func(c *Config) { c.MaxImages = 2 })
	for _, tt := range []struct {
		name    string
		request *http.Request
		status  int
		code    string
		message string // part of it
	}{
		{"0 bytes", raw(nil), 400, "invalid", `the body is empty; send an image, or a multipart form with fields named "image"`},
		{"0 bytes in a part", form(t, file{"image", "a.png", nil}), 400, "invalid", "no image: 0 bytes"},
		{"text", raw([]byte("hello, world")), 415, "unsupported", "not an image in a known format; known are JPEG, PNG, GIF, BMP, TIFF and WebP"},
		{"truncated JPEG", raw(grayJPEG(t)[:400]), 400, "invalid", "truncated image"},
		{"truncated PNG", raw(image[:len(image)-30]), 400, "invalid", "truncated image"},
		{"50,000x50,000 pixels", raw(hugePNG()), 413, "too_large", "image of 50000x50000 pixels: the limit is 25000000 pixels"},
		{"wrong field", form(t, file{"file", "a.png", image}), 400, "invalid", `form field "file": images are sent in fields named "image"`},
		{"too many parts", form(t, file{"image", "a", image}, file{"image", "b", image}, file{"image", "c", image}), 413, "too_large", "more than 2 images"},
		{"empty form", empty, 400, "invalid", `the form has no field named "image"`},
		{"packed", packed, 415, "unsupported", `Content-Encoding "gzip" is not supported: send the image as it is`},
		{"URL-encoded form", typed("application/x-www-form-urlencoded", []byte("image=photo.jpg")), 415, "unsupported", "curl --data-binary @photo.jpg"},
		{"curl -d", typed("application/x-www-form-urlencoded", asCurl(grayJPEG(t))), 415, "unsupported", "curl --data-binary @photo.jpg"},
		{"JSON", typed("application/json; charset=utf-8", []byte(`{"image": "/9j/4A=="}`)), 415, "unsupported", "JSON, and what is wanted is the image itself"},
		{"form without a file", form(t, file{"image", "", []byte("photo.jpg")}), 415, "unsupported", "curl -F image=@photo.jpg"},
		{"HEIC", raw([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")), 415, "unsupported", "this is a HEIC image"},
		{"form cut short", cut, 400, "invalid", "the upload ended early"},
		{"no form", broken, 400, "invalid", "the upload"},
		{"form without boundary", unbound, 400, "invalid", "boundary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := wantError(t, do(s, tt.request), tt.status, tt.code)
			if !strings.Contains(e.Message, tt.message) {
				t.Errorf("message %q lacks %q", e.Message, tt.message)
			}
		})
	}
}

// typed is a body of a stated type.
func typed(mediaType string, body []byte) *http.Request {
	r := raw(body)
	r.Header.Set("Content-Type", mediaType)
	return r
}

// asCurl is what curl -d makes of a file.
func asCurl(file []byte) []byte {
	return slices.DeleteFunc(slices.Clone(file), func(b byte) bool { return b == 0 || b == '\r' || b == '\n' })
}

// A header may promise any number of pixels: nothing is allocated for them.
func TestHugeHeaderTakesNoMemory(t *testing.T) {
	s := newServer(t, &fakeModel{})
	used := allocated(func() { wantError(t, do(s, raw(hugePNG())), 413, "too_large") })
	if used > 1<<20 {
		t.Errorf("allocated %d bytes", used)
	}
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func grayJPEG(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, uniform(image.NewGray(image.Rect(0, 0, 64, 64)), gray128), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hugePNG is the header of a PNG of 50,000x50,000 pixels, and the beginning of
// its data.
func hugePNG() []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), 50_000)
	header = binary.BigEndian.AppendUint32(header, 50_000)
	header = append(header, 8, 2, 0, 0, 0) // 8 bits of RGB
	file := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	file = append(file, header...)
	file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
	return append(file, "\x00\x00\x10\x00IDAT\x78\x9c"...)
}
