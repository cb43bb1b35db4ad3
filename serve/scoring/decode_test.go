package scoring

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"testing"
	"time"
)

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The pixels being decoded at once are limited, not only those of one image.
func TestDecodersShareThePixels(t *testing.T) {
	d := newDecoder(1000)
	d.share = 100
	huge := encodePNG(t, image.NewGray(image.Rect(0, 0, 40, 40)))
	for _, tt := range []struct {
		name string
		file []byte
		want int64
	}{
		{"small image: one core's share", encodePNG(t, image.NewGray(image.Rect(0, 0, 5, 5))), 100},
		{"no image", []byte("text"), 100},
		{"refused anyway", huge, 100},
		{"large image: its pixels", encodePNG(t, image.NewGray(image.Rect(0, 0, 30, 30))), 900},
	} {
		if got := d.cost(tt.file); got != tt.want {
			t.Errorf("%s: cost %d, want %d", tt.name, got, tt.want)
		}
	}
	// While all pixels are taken, a client waits, and may give up.
	if err := d.pixels.Acquire(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := d.crop(ctx, info.Preprocess, encodePNG(t, image.NewGray(image.Rect(0, 0, 5, 5))), &Times{}); err != context.DeadlineExceeded {
		t.Errorf("got %v, want the deadline", err)
	}
	d.pixels.Release(1000)
	if _, err := d.crop(t.Context(), info.Preprocess, encodePNG(t, image.NewGray(image.Rect(0, 0, 5, 5))), &Times{}); err != nil {
		t.Error(err)
	}
}
