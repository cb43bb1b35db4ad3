package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// colours are what colourNet tells apart, in the order of its logits.
var colours = []struct {
	name string
	rgb  color.RGBA
}{
	{"mud", color.RGBA{120, 90, 60, 255}}, {"sea", color.RGBA{40, 70, 200, 255}}, {"fire", color.RGBA{220, 90, 30, 255}}, {"coal", color.RGBA{30, 25, 20, 255}},
}

// colourNet writes a network that takes the nearest of the colours to an image's mean,
// of blue, green and red from 0 to 255, and has their names in its metadata.
func colourNet(t *testing.T) (file string) {
	t.Helper()
	b := onnx.NewBuilder("colours")
	x := b.Input("x", "", onnx.TensorProto_FLOAT, "N", 3, 8, 8)
	x = b.Op("Flatten", []string{b.Op("GlobalAveragePool", []string{x})}, onnx.Int("axis", 1))
	var weights, bias []float32
	var names []string
	for _, c := range colours {
		blue, green, red := float32(c.rgb.B), float32(c.rgb.G), float32(c.rgb.R)
		weights, bias, names = append(weights, blue, green, red), append(bias, -(blue*blue+green*green+red*red)/2), append(names, c.name)
	}
	y := b.Op("Gemm", []string{x, b.Weights("w", weights, len(colours), 3), b.Weights("b", bias, len(colours))}, onnx.Int("transB", 1))
	b.Output(y, "", onnx.TensorProto_FLOAT, "N", len(colours))
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	m.MetadataProps = []*onnx.StringStringEntryProto{{Key: "names", Value: string(list)}}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "colours.onnx", data)
}

func write(t *testing.T, name string, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// colourPhotos are images of the colours, in folders of their names.
func colourPhotos(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range colours {
		if err := os.Mkdir(filepath.Join(folder, c.name), 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			picture := image.NewRGBA(image.Rect(0, 0, 12, 10))
			for y := range 10 {
				for x := range 12 {
					noise := uint8(rng.IntN(20))
					picture.SetRGBA(x, y, color.RGBA{c.rgb.R + noise, c.rgb.G + noise, c.rgb.B + noise, 255})
				}
			}
			var content bytes.Buffer
			if err := png.Encode(&content, picture); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, c.name, string(rune('a'+i))+".png"), content.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

// TestCheck finds what a network was trained with, and says the flags that give it,
// which are then the best.
func TestCheck(t *testing.T) {
	file, folder := colourNet(t), colourPhotos(t)
	check := func(args ...string) (said, warned string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		args = append([]string{"--onnx", file, "--pre-size", "8", "--image-size", "8", "--check", folder, "--threads", "1"}, args...)
		if err := run(t.Context(), args, &stdout, &stderr); err != nil {
			t.Fatal(err)
		}
		return stdout.String(), stderr.String()
	}
	const bytesBGR = "--channels bgr --mean 0,0,0 --std 0.00392157,0.00392157,0.00392157"
	wrong := []string{"--mean", "0,0,0", "--std", "1,1,1"}
	said, warned := check(wrong...)
	lines := strings.Split(said, "\n")
	if want := "accuracy on 32 images of " + folder + ", with these flags changed, best first:"; lines[0] != want {
		t.Errorf("it says %q, want %q", lines[0], want)
	}
	if lines[1] != "  100.00%  "+bytesBGR || !strings.Contains(said, "\n  25.00%   as given\n") {
		t.Errorf("the table is\n%s", said)
	}
	if want := "Warning: 8 images are classified rightly as given, and 32 with " + bytesBGR; !strings.Contains(warned, want) {
		t.Errorf("warning %q, want %q", warned, want)
	}
	said, warned = check(strings.Fields(bytesBGR)...)
	if lines := strings.Split(said, "\n"); lines[1] != "  100.00%  as given" || strings.Contains(warned, "Warning") {
		t.Errorf("with the flags that it names:\n%s%s", said, warned)
	}
	order := write(t, "classes.txt", []byte("sea\nmud\ncoal\nfire\n"))
	said, warned = check(append(strings.Fields(bytesBGR), "--classes", order)...)
	if lines := strings.Split(said, "\n"); lines[1] != "  100.00%  without --classes: the file's own order" || !strings.Contains(warned, "Warning: 0 images") {
		t.Errorf("with the classes in another order:\n%s%s", said, warned)
	}
}

// TestCheckCheckpoint: of a checkpoint what its export lets one choose is tried.
func TestCheckCheckpoint(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m.onnx")
	images := testmodel.Path("eval", "testdata", "images", "test_id-images-idx3-ubyte.gz") + "[:60]"
	said, err := command(t, "--checkpoint", testmodel.Path("eval", "testdata", "net.safetensors"), "--preprocess", "cifar10", "--check", images, "-o", out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "as given") || strings.Contains(said, "--channels") || !strings.Contains(said, "not calibrated") {
		t.Errorf("it says %s", said)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}

// TestCheckWrong: what cannot be checked.
func TestCheckWrong(t *testing.T) {
	file := colourNet(t)
	good := []string{"--onnx", file, "--pre-size", "8", "--image-size", "8", "--mean", "0,0,0", "--std", "1,1,1"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing there":  {[]string{"--check", filepath.Join(t.TempDir(), "none")}, "--check: "},
		"other classes":  {[]string{"--check", photos(t, "cat", "dog")}, "--check: the folder cat is named as none of the model's classes (mud, sea, fire, coal)"},
		"without labels": {[]string{"--check", testmodel.Path("eval", "testdata", "images", "test_ood-images-idx3-ubyte.gz")}, "--check: "},
		"no output":      {nil, "--output is missing"},
		"one of several": {[]string{"--check", colourPhotos(t), "--calibrate", colourPhotos(t)}, "--output is missing"},
		"TPR":            {[]string{"--check", colourPhotos(t), "--tpr", ".9"}, "--tpr has no meaning without --calibrate"},
	} {
		if _, err := command(t, append(c.args, good...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
	}
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }

// TestWays: each way is another, and its flags say all that differs.
func TestWays(t *testing.T) {
	pre, err := preprocess.Preset("imagenet")
	if err != nil {
		t.Fatal(err)
	}
	given := way{pre, "rgb"}
	seen := map[string]bool{}
	all := append(given.inputs(), given.crops()...)
	for _, w := range all {
		if flags := w.flags(given); seen[flags] {
			t.Errorf("two ways have the flags %q", flags)
		} else {
			seen[flags] = true
		}
	}
	for _, want := range []string{
		"", "--channels bgr", "--mean 0,0,0 --std 1,1,1", "--mean 0.5,0.5,0.5 --std 0.5,0.5,0.5", "--interpolation bicubic",
		"--pre-size 224 --resize squash", "--pre-size 224", "--exif-orientation apply", "--channels bgr --mean 0.48502,0.457957,0.407604 --std 0.00392157,0.00392157,0.00392157",
	} {
		if !seen[want] {
			t.Errorf("no way has the flags %q", want)
		}
	}
	one := way{pre, "bgr"}
	one.ImageSize, one.Mean, one.Std = 1, [3]float64{.5, .5, .5}, [3]float64{.25, .5, .25}
	if got, want := one.input([]uint8{255, 0, 51}, way{channels: "rgb"}), []float32{-1.2, -1, 2}; !slices.EqualFunc(got, want, near) {
		t.Errorf("a pixel becomes %v, want %v", got, want)
	}
	gray := way{pre, "gray"}
	gray.Mean, gray.Std = [3]float64{.5, .5, .5}, [3]float64{.5, .5, .5}
	for _, w := range gray.inputs() {
		if w.channels != "gray" || w.Mean[0] != w.Mean[1] {
			t.Errorf("a network of one channel is tried with %s", w.flags(gray))
		}
	}
}
