package preprocess

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"
)

// TestCropReference compares with the crops of PIL and torchvision,
// which are the same, bit for bit.
func TestCropReference(t *testing.T) {
	expected, err := safetensors.Deserialize(testFile(t, "testdata/crops/expected.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if expected.Len() != 12 {
		t.Fatalf("%d crops, want 12", expected.Len())
	}
	for _, want := range expected.Tensors() {
		t.Run(want.Name, func(t *testing.T) {
			file, preset, _ := strings.Cut(want.Name, "|")
			config, err := Preset(preset)
			if err != nil {
				t.Fatal(err)
			}
			got := config.Crop(decodeFile(t, "testdata/crops/"+file))
			if worst, share := difference(got, want.TensorView.Data()); worst != 0 {
				t.Errorf("difference of %d levels, %.2f%% of bytes", worst, 100*share)
			}
		})
	}
}

// TestWaysToResize compares with PIL and torchvision likewise, where both sides are
// resized, by another filter, and both.
func TestWaysToResize(t *testing.T) {
	expected, err := safetensors.Deserialize(testFile(t, "testdata/crops/ways.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if expected.Len() != 32 {
		t.Fatalf("%d crops, want 32", expected.Len())
	}
	for _, want := range expected.Tensors() {
		parts := strings.Split(want.Name, "|")
		var c Config
		text := fmt.Sprintf(`{"resize":%q,"interpolation":%q,"pre_size":%s,"image_size":%s}`, parts[1], parts[2], parts[3], parts[4])
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		got := c.Crop(decodeFile(t, "testdata/crops/"+parts[0]))
		if worst, share := difference(got, want.TensorView.Data()); worst > 0 {
			t.Errorf("%s: difference of %d levels, %.2f%% of bytes", want.Name, worst, 100*share)
		}
	}
}

func TestCropGeometry(t *testing.T) {
	for _, test := range []struct {
		width, height, pre int
		want               image.Point
	}{
		{400, 300, 256, image.Pt(341, 256)}, // int(341.33)
		{199, 333, 32, image.Pt(32, 53)},
		{7, 7, 224, image.Pt(224, 224)},
		{1, 50_000, 256, image.Pt(256, 12_800_000)},
	} {
		c := Config{PreSize: test.pre}
		if got := c.resized(test.width, test.height); got != test.want {
			t.Errorf("%dx%d to %d: %v, want %v", test.width, test.height, test.pre, got, test.want)
		}
	}
	for _, test := range []struct{ side, size, want int }{
		{256, 224, 16}, {341, 224, 58}, {227, 224, 2}, {225, 224, 0}, {229, 224, 2}, // 1.5, .5 and 2.5 to even
		{224, 224, 0}, {32, 35, -1}, {32, 36, -2},
	} {
		if got := centre(test.side, test.size); got != test.want {
			t.Errorf("crop of %d from %d begins at %d, want %d", test.size, test.side, got, test.want)
		}
	}
}

// TestCropPads: what the image does not cover is black.
func TestCropPads(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	copy(img.Pix, []uint8{10, 11, 12, 255, 20, 21, 22, 255})
	got := Config{PreSize: 1, ImageSize: 4}.Crop(img)
	want := make([]uint8, 4*4*3)
	copy(want[(1*4+1)*3:], []uint8{10, 11, 12, 20, 21, 22})
	if !bytes.Equal(got, want) {
		t.Errorf("crop %v, want %v", got, want)
	}
}

// TestCropIgnoresOrigin: the bounds of an image may begin anywhere.
func TestCropIgnoresOrigin(t *testing.T) {
	whole := decodeFile(t, "testdata/formats/rgb.png")
	part := whole.SubImage(image.Rect(5, 3, 35, 28)).(*image.NRGBA)
	copied := image.NewNRGBA(image.Rect(0, 0, 30, 25))
	for y := range 25 {
		copy(copied.Pix[y*copied.Stride:][:30*4], part.Pix[y*part.Stride:])
	}
	c := Config{PreSize: 16, ImageSize: 12}
	if !bytes.Equal(c.Crop(part), c.Crop(copied)) {
		t.Error("the crop of a part of an image depends on where the part was")
	}
}

// TestCropOfSliver: the resized image is never made as a whole; it would have
// 3 billion pixels here.
func TestCropOfSliver(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 50_000))
	for y := range 50_000 {
		copy(img.Pix[y*4:], []uint8{uint8(y / 200), 100, 200, 255})
	}
	c := presets["waterbirds"]
	got := c.Crop(img)
	for _, i := range []int{0, len(got) - 3} {
		if r, g, b := got[i], got[i+1], got[i+2]; r < 124 || r > 125 || g != 100 || b != 200 {
			t.Errorf("pixel %d is %v, want 124…125, 100, 200", i/3, got[i:i+3])
		}
	}
}

func TestCropOfCropIsItself(t *testing.T) {
	c := Config{PreSize: 30, ImageSize: 30}
	img := decodeFile(t, "testdata/formats/rgb.png").SubImage(image.Rect(3, 0, 33, 30)).(*image.NRGBA)
	got := c.Crop(img)
	for y := range 30 {
		for x := range 30 {
			p := img.NRGBAAt(3+x, y)
			if at := (y*30 + x) * 3; got[at] != p.R || got[at+1] != p.G || got[at+2] != p.B {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got[at:at+3], p)
			}
		}
	}
}

func BenchmarkCropWaterbirds400x300(b *testing.B) {
	img, err := Reading{}.DecodeFile(b.Context(), "testdata/crops/photo-420-400x300.jpg", DefaultMaxPixels)
	if err != nil {
		b.Fatal(err)
	}
	c := presets["waterbirds"]
	dst := make([]uint8, c.CropLen())
	b.ReportAllocs()
	for b.Loop() {
		c.CropInto(dst, img)
	}
}
