package eval

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// fromFiles are networks, and files for them.
var fromFiles = []struct {
	arch, preset  string
	width, height int // of the files
	images        int
}{
	{"resnet18_32x32", "cifar10", 32, 32, 256},
	{"resnet18_224x224", "imagenet200", 500, 375, 64},
}

// BenchmarkImages times the whole way from JPEG files to scores, on two threads,
// with the published networks of random weights; where Debian's python3-torch and
// python3-pil are present, beside PyTorch's in testdata/torch_speed.py.
func BenchmarkImages(b *testing.B) {
	for _, net := range fromFiles {
		dir := jpegs(b, net.width, net.height, net.images)
		d := openFolder(b, dir)
		n := randomNetwork(b, net.arch, net.preset)
		for _, name := range []string{"msp", "odin", "iodin"} {
			b.Run(fmt.Sprintf("%s/%s", net.arch, name), func(b *testing.B) {
				m, err := posthoc.New(name)
				if err != nil {
					b.Fatal(err)
				}
				one := dataset.Subset(d, []int{0}) // opens the graph
				if _, err := n.Score(b.Context(), one, []Entry{{name, m}}, ScanOptions{}); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					if _, err := n.Score(b.Context(), d, []Entry{{name, m}}, ScanOptions{}); err != nil {
						b.Fatal(err)
					}
				}
				rate := float64(net.images*b.N) / b.Elapsed().Seconds()
				b.ReportMetric(rate, "images/s")
				if torch := torchRate(b, net.arch, name, dir); torch > 0 {
					b.ReportMetric(torch, "torch-images/s")
					b.ReportMetric(rate/torch, "x-torch")
				}
			})
		}
	}
}

// openJPEGs opens files that jpegs writes.
func openJPEGs(b *testing.B, width, height, count int) dataset.Dataset {
	return openFolder(b, jpegs(b, width, height, count))
}

func openFolder(b *testing.B, dir string) dataset.Dataset {
	d, err := dataset.Open(dir, "")
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// jpegs writes images that are neither flat nor noise.
func jpegs(b *testing.B, width, height, count int) (dir string) {
	dir = b.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range count {
		img := image.NewNRGBA(image.Rect(0, 0, width, height))
		fx, fy := 30*rng.Float64(), 30*rng.Float64()
		for x := range width {
			for y := range height {
				v := 128 + 100*math.Sin(fx*float64(x)/float64(width)+fy*float64(y)/float64(height)) + 20*rng.Float64()
				img.SetNRGBA(x, y, color.NRGBA{uint8(v), uint8(255 - v), uint8(v / 2), 255})
			}
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.jpg", i)))
		if err == nil {
			err = jpeg.Encode(f, img, &jpeg.Options{Quality: 90})
			f.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// torchRate returns PyTorch's images a second on the files of a folder, 0 where
// it is not installed.
func torchRate(b *testing.B, arch, method, dir string) float64 {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import torch, PIL, numpy").Run() != nil {
		return 0
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	args := append([]string{"testdata/torch_speed.py", arch, method}, files...)
	out, err := exec.Command(python, args...).Output()
	if err != nil {
		b.Fatalf("PyTorch: %v", err)
	}
	rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}

func randomNetwork(b *testing.B, arch, preset string) *Network {
	pre, err := preprocess.Preset(preset)
	if err != nil {
		b.Fatal(err)
	}
	m, meta := testmodel.Random(b, models.Spec{Arch: arch, Classes: 10, Head: models.HeadLinear}, pre, artifact.ScoreIODIN)
	n, err := NewNetwork(m, meta, ioodin.Options{Threads: 2})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close() })
	return n
}
