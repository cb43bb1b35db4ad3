package libjpeg

import (
	"context"
	"errors"
	"image"
	"io"
	"os"
	"testing"
)

const photo, width, height = "../../preprocess/testdata/formats/progressive.jpg", 41, 30

func readPhoto(t *testing.T) []byte {
	t.Helper()
	file, err := os.ReadFile(photo)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestFaults: a fault ends one image, tells what it is, and leaves the library usable.
func TestFaults(t *testing.T) {
	file := readPhoto(t)
	for name, test := range map[string]struct {
		file []byte
		size image.Point
		text string
	}{
		"another size": {file, image.Pt(width, height+1), "it has two sizes"},
		"no JPEG":      {[]byte("a text"), image.Pt(1, 1), "Not a JPEG file: starts with 0x61 0x20"},
	} {
		var fault *Error
		if _, _, err := Decode(t.Context(), test.file, test.size); !errors.As(err, &fault) || !fault.Damaged || fault.Text != test.text {
			t.Errorf("%s: %v, want %q", name, err, test.text)
		}
	}
	if _, _, err := Decode(t.Context(), file[:100], image.Pt(width, height)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut header: %v", err)
	}
	img, truncated, err := Decode(t.Context(), file, image.Pt(width, height))
	if err != nil || truncated || img.Bounds() != image.Rect(0, 0, width, height) {
		t.Errorf("after that: truncated %v, %v", truncated, err)
	}
	if _, truncated, err := Decode(t.Context(), file[:len(file)*9/10], image.Pt(width, height)); err != nil || !truncated {
		t.Errorf("cut pixels: truncated %v, %v", truncated, err)
	}
}

// expiring ends when it has been asked a number of times.
type expiring struct {
	context.Context
	left int
}

func (c *expiring) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestDecodeEndsInTheMiddle: the library asks again and again, not for input alone.
func TestDecodeEndsInTheMiddle(t *testing.T) {
	file := readPhoto(t)
	whole := &expiring{context.Background(), 1 << 30}
	if _, _, err := Decode(whole, file, image.Pt(width, height)); err != nil {
		t.Fatal(err)
	}
	asked := 1<<30 - whole.left
	if asked < 10 {
		t.Fatalf("asked %d times", asked)
	}
	for n := 1; n < asked; n++ {
		img, _, err := Decode(&expiring{context.Background(), n}, file, image.Pt(width, height))
		if err == nil || img != nil {
			t.Fatalf("ended after %d of %d: %v", n, asked, err)
		}
	}
}
