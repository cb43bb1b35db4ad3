package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/testmodel"
)

// pth is a network of torchvision as torch.save wrote it, with three classes.
var pth = testmodel.Path("testdata", "torchvision", "resnet18-width1.pth")

// photos makes a folder with a folder of images for each class.
func photos(t *testing.T, classes ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for c, class := range classes {
		if err := os.Mkdir(filepath.Join(dir, class), 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			picture := image.NewGray(image.Rect(0, 0, 32, 32))
			for at := range picture.Pix {
				picture.Set(at%32, at/32, color.Gray{uint8(c*50 + i + at%7)})
			}
			var content bytes.Buffer
			if err := png.Encode(&content, picture); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%d.png", i)), content.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// exportPTH exports pth with a few more flags and returns what it says and stores.
func exportPTH(t *testing.T, args ...string) (said string, meta *artifact.Metadata) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "m.onnx")
	var stdout, stderr bytes.Buffer
	args = append(args, "--checkpoint", pth, "--pre-size", "32", "--image-size", "32", "--mean", ".5,.5,.5", "--std", ".5,.5,.5", "-o", out)
	if err := run(t.Context(), args, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	_, meta, err := artifact.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	return stderr.String(), meta
}

// TestOwnNetwork: who comes with a .pth need not name the architecture, nor the
// classes; what is taken is told, and stored in the artifact.
func TestOwnNetwork(t *testing.T) {
	said, meta := exportPTH(t, "--calibrate", photos(t, "cat", "dog", "emu"))
	taken := []string{"architecture: resnet18_224x224, which the weights are those of", "class names: those under the folders of the images"}
	if meta.Arch != "resnet18_224x224" || !slices.Equal(meta.Classes, []string{"cat", "dog", "emu"}) || !slices.Equal(meta.Source.Taken, taken) {
		t.Errorf("metadata %+v", meta)
	}
	for _, note := range taken {
		if !strings.Contains(said, note+"\n") {
			t.Errorf("%q is not said: %s", note, said)
		}
	}
	if strings.Contains(said, "ImageFolder") {
		t.Errorf("it speaks of an order that is no question: %s", said)
	}
}

// TestSkipBroken: images of a calibration that are missing or damaged are all named, and
// left out where that is asked for.
func TestSkipBroken(t *testing.T) {
	dir := photos(t, "cat", "dog", "emu")
	if err := os.WriteFile(filepath.Join(dir, "cat", "3.png"), []byte("no image"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "list.txt")
	lines := "cat/nothing.png 0\n"
	for c, class := range []string{"cat", "dog", "emu"} {
		for i := range 10 {
			lines += fmt.Sprintf("%s/%d.png %d\n", class, i, c)
		}
	}
	if err := os.WriteFile(list, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		images  string
		samples int
		refused string
		said    string
	}{
		{dir, 29, "3.png: not an image", "Warning: 1 of 30 images of " + dir + " cannot be loaded and are left out:\n  "},
		{list, 29, "nothing.png is missing, image 1 of 31", "Warning: 2 of 31 images of " + list + " cannot be loaded and are left out:\n  "},
	} {
		out := filepath.Join(t.TempDir(), "m.onnx")
		if _, err := command(t, "--checkpoint", pth, "--preprocess", "imagenet", "--calibrate", test.images, "-o", out); err == nil || !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: error %v", test.images, err)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: a file was written", test.images)
		}
		said, meta := exportPTH(t, "--calibrate", test.images, "--skip-broken")
		if c := meta.Calibration; c == nil || c.Samples != test.samples || !strings.Contains(said, test.said) || !strings.Contains(said, "on 29 labelled images") {
			t.Errorf("%s: calibration %+v, said\n%s", test.images, c, said)
		}
	}
}

// TestClassNames: given names come first, and without any that fit they are numbers.
func TestClassNames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "classes.txt")
	if err := os.WriteFile(file, []byte("cat\ndog\nemu\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want []string
		said string
	}{
		{[]string{"--classes", file, "--calibrate", photos(t, "0", "1", "2")}, []string{"cat", "dog", "emu"}, ""},
		{nil, []string{"0", "1", "2"}, "class names: numbers, as nothing names them"},
		{[]string{"--calibrate", photos(t, "0", "1")}, []string{"0", "1", "2"}, "class names: numbers, as nothing names them"},
		{[]string{"--calibrate", photos(t, "a", "b", "c")}, []string{"a", "b", "c"}, "class names: those under the folders of the images"},
	} {
		said, meta := exportPTH(t, test.args...)
		if !slices.Equal(meta.Classes, test.want) || !strings.Contains(said, test.said) {
			t.Errorf("%v: classes %v, want %v; said %s", test.args, meta.Classes, test.want, said)
		}
	}
}

// TestNumberedFolders: class folders that are numbers stay the numbers of the classes.
func TestNumberedFolders(t *testing.T) {
	var folders []string
	for i := range 11 {
		folders = append(folders, fmt.Sprint(i))
	}
	r := &request{calibrate: photos(t, folders...)}
	if names, err := r.folders("calibrate", r.calibrate); names != nil || err != nil {
		t.Errorf("names %v, %v", names, err)
	}
}

// TestArchOfSeveral: resnet18 is whichever of that name the weights are of.
func TestArchOfSeveral(t *testing.T) {
	if _, meta := exportPTH(t, "--arch", "resnet18"); meta.Arch != "resnet18_224x224" {
		t.Errorf("architecture %s", meta.Arch)
	}
}
