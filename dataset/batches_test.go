package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ascood/ascood/preprocess"
)

// plain is a dataset of n images of 1x1 pixel; image i has the value i and the
// label 10·i.
type plain struct {
	n      int
	bad    []int
	delay  time.Duration
	loaded atomic.Int64
}

func (d *plain) Len() int          { return d.n }
func (d *plain) Name(i int) string { return fmt.Sprintf("image-%d", i) }
func (d *plain) Label(i int) int   { return 10 * i }

func (d *plain) Load(_ context.Context, i int, _ preprocess.Reading) (image.Image, error) {
	d.loaded.Add(1)
	// The first images take longest, so that they are done in another order.
	time.Sleep(d.delay * time.Duration(d.n-i))
	if slices.Contains(d.bad, i) {
		return nil, fmt.Errorf("%s is unreadable", d.Name(i))
	}
	img := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	copy(img.Pix, []uint8{uint8(i), uint8(i), uint8(i), 255})
	return img, nil
}

var onePixel = preprocess.Config{PreSize: 1, ImageSize: 1, Std: [3]float64{1, 1, 1}}

// TestFurtherViews: each image is augmented once for each view, and those that cannot be
// loaded are left out of all.
func TestFurtherViews(t *testing.T) {
	d := &plain{n: 6, bad: []int{4}}
	random := func(dst []uint8, _ image.Image, rng *rand.Rand) { dst[0] = uint8(rng.IntN(256)) }
	opt := LoadOptions{Config: onePixel, Augment: random, BatchSize: 3, Further: 2, KeepGoing: true, Seed: 3}
	var first, again []uint8
	for _, all := range []*[]uint8{&first, &again} {
		for batch, err := range Batches(t.Context(), d, []int{0, 1, 2, 3, 4, 5}, opt) {
			if err != nil {
				t.Fatal(err)
			}
			batch = batch.Sound()
			if n := len(batch.Labels); len(batch.Further) != 2 || len(batch.Pixels) != 3*n || len(batch.Further[0]) != 3*n || len(batch.Further[1]) != 3*n {
				t.Fatalf("%d images have %d values, and further %v", n, len(batch.Pixels), batch.Further)
			}
			for k := range batch.Labels {
				if a, b, c := batch.Pixels[3*k], batch.Further[0][3*k], batch.Further[1][3*k]; a == b && b == c {
					t.Errorf("image %d has views alike, %d", batch.Indices[k], a)
				}
			}
			*all = slices.Concat(*all, batch.Pixels, batch.Further[0], batch.Further[1])
		}
	}
	if !bytes.Equal(first, again) {
		t.Error("the views are others the second time")
	}
}

func TestBatches(t *testing.T) {
	d := &plain{n: 10, delay: time.Millisecond}
	order := []int{3, 1, 4, 1, 5, 9, 2}
	for _, workers := range []int{0, 1, 3, 20} {
		synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
			var indices []int
			var sizes []int
			for batch, err := range Batches(t.Context(), d, order, LoadOptions{Config: onePixel, BatchSize: 3, Workers: workers}) {
				if err != nil {
					t.Fatal(err)
				}
				sizes = append(sizes, len(batch.Labels))
				indices = append(indices, batch.Indices...)
				for k, i := range batch.Indices {
					if batch.Labels[k] != int64(10*i) || !bytes.Equal(batch.Pixels[3*k:3*k+3], []uint8{uint8(i), uint8(i), uint8(i)}) {
						t.Errorf("image %d has label %d and pixels %v", i, batch.Labels[k], batch.Pixels[3*k:3*k+3])
					}
				}
			}
			if !slices.Equal(indices, order) || !slices.Equal(sizes, []int{3, 3, 1}) {
				t.Errorf("%d workers: images %v in batches of %v, want %v in 3, 3, 1", workers, indices, sizes, order)
			}
		})
	}
}

func TestBatchesOfNothing(t *testing.T) {
	for range Batches(t.Context(), &plain{}, nil, LoadOptions{Config: onePixel, BatchSize: 3}) {
		t.Error("a batch of an empty order")
	}
}

// TestBatchesReadAhead: while the consumer works on a batch, two more are made
// and no further images are loaded.
func TestBatchesReadAhead(t *testing.T) {
	d := &plain{n: 100}
	order := make([]int, d.n)
	synctest.Test(t, func(t *testing.T) {
		for _, err := range Batches(t.Context(), d, order, LoadOptions{Config: onePixel, BatchSize: 4, Workers: 2}) {
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := d.loaded.Load(); n != 3*4 {
				t.Errorf("%d images loaded during the first batch, want 12", n)
			}
			break // must stop the workers: the test fails if they stay
		}
	})
	if n := d.loaded.Load(); n > 4*4 {
		t.Errorf("%d images loaded in all, want no more than 16", n)
	}
}

func TestBatchesStopAtUnreadableImage(t *testing.T) {
	d := &plain{n: 20, bad: []int{17, 6, 5}, delay: time.Millisecond}
	order := make([]int, d.n)
	for i := range order {
		order[i] = i
	}
	synctest.Test(t, func(t *testing.T) {
		batches := 0
		var last error
		for _, err := range Batches(t.Context(), d, order, LoadOptions{Config: onePixel, BatchSize: 4, Workers: 5}) {
			if last = err; err == nil {
				batches++
			}
		}
		if batches != 1 || last == nil || !strings.HasPrefix(last.Error(), "3 of 20 images cannot be loaded:\n") {
			t.Errorf("%d batches, then %v; want 1 and an error on 3 images", batches, last)
		}
		for _, name := range []string{"image-5", "image-6", "image-17"} {
			if !strings.Contains(last.Error(), name) {
				t.Errorf("the error does not name %s: %v", name, last)
			}
		}
	})
}

// TestBrokenImagesOfMany: an error names the first few.
func TestBrokenImagesOfMany(t *testing.T) {
	d := &plain{n: 30}
	var order []int
	for i := range d.n {
		order = append(order, i)
		if i%2 == 0 {
			d.bad = append(d.bad, i)
		}
	}
	for _, err := range Batches(t.Context(), d, order, LoadOptions{Config: onePixel, BatchSize: 4}) {
		if err == nil || strings.Count(err.Error(), "image-") != 10 || !strings.HasSuffix(err.Error(), "\n  and 5 more") {
			t.Errorf("error %v, want one that names 10 of 15", err)
		}
	}
	d.bad = []int{9}
	for _, err := range Batches(t.Context(), d, order[4:], LoadOptions{Config: onePixel, BatchSize: 40}) {
		if _, alone := d.Load(t.Context(), 9, preprocess.Reading{}); err == nil || err.Error() != alone.Error() {
			t.Errorf("error %v of one image", err)
		}
	}
}

// TestAsIs: images that are crops already are not resized, wherever they stand.
func TestAsIs(t *testing.T) {
	config := preprocess.Config{PreSize: 4, ImageSize: 2, Std: [3]float64{1, 1, 1}}
	pixels := []uint8{10, 20, 30, 40, 50, 60, 70, 80, 90}
	two := &idx{name: "two", pixels: pixels[:4], width: 2, height: 2, labels: make([]uint8, 1)}
	load := func(d Dataset) (Batch, error) {
		for b, err := range Batches(t.Context(), d, []int{d.Len() - 1}, LoadOptions{Config: config, BatchSize: 1, KeepGoing: true}) {
			b.Pixels = slices.Clone(b.Pixels)
			return b, err
		}
		return Batch{}, nil
	}
	want := []uint8{10, 10, 10, 20, 20, 20, 30, 30, 30, 40, 40, 40}
	resized, err := load(two)
	if err != nil || slices.Equal(resized.Pixels, want) {
		t.Fatalf("the crop of a resized image is %v (%v)", resized.Pixels, err)
	}
	for name, d := range map[string]Dataset{
		"alone": AsIs(two), "of a concatenation": Concat(two, AsIs(two)), "of a subset": Subset(Concat(AsIs(two), two), []int{1, 0}),
		"relabelled": relabelled{Dataset: AsIs(two), labels: []int{0}},
	} {
		if b, err := load(d); err != nil || !slices.Equal(b.Pixels, want) {
			t.Errorf("%s: %v (%v), want %v", name, b.Pixels, err, want)
		}
	}
	b, err := load(AsIs(&idx{pixels: pixels, width: 3, height: 3}))
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, b.Errs[0], "has 3x3 pixels", "the network sees 2x2")
}

func TestBatchesKeepGoing(t *testing.T) {
	d := &plain{n: 8, bad: []int{5, 6}}
	order := []int{4, 5, 0, 1, 2, 3, 6, 7}
	failed := 0
	for b, err := range Batches(t.Context(), d, order, LoadOptions{Config: onePixel, BatchSize: 2, KeepGoing: true}) {
		if err != nil {
			t.Fatal(err)
		}
		for k, i := range b.Indices {
			want := []uint8{uint8(i), uint8(i), uint8(i)}
			if b.Errs[k] != nil && slices.Contains(d.bad, i) {
				failed++
				want = []uint8{0, 0, 0}
			} else if b.Errs[k] != nil {
				t.Errorf("image %d: %v", i, b.Errs[k])
			}
			if got := b.Pixels[3*k:][:3]; !slices.Equal(got, want) {
				t.Errorf("image %d has pixels %v, want %v", i, got, want)
			}
		}
	}
	if failed != 2 {
		t.Errorf("%d broken images, want 2", failed)
	}
}

func TestSound(t *testing.T) {
	d := &plain{n: 7, bad: []int{0, 3, 4}}
	var indices []int
	for b, err := range Batches(t.Context(), d, []int{0, 1, 2, 3, 4, 5, 6}, LoadOptions{Config: onePixel, BatchSize: 4, KeepGoing: true}) {
		if err != nil {
			t.Fatal(err)
		}
		sound := b.Sound()
		for k, i := range sound.Indices {
			if sound.Labels[k] != int64(10*i) || sound.Pixels[3*k] != uint8(i) || sound.Errs[k] != nil {
				t.Errorf("image %d has label %d, value %d and error %v", i, sound.Labels[k], sound.Pixels[3*k], sound.Errs[k])
			}
		}
		if n := len(sound.Indices); len(sound.Labels) != n || len(sound.Pixels) != 3*n {
			t.Errorf("%d images with %d labels and %d pixels", n, len(sound.Labels), len(sound.Pixels)/3)
		}
		indices = append(indices, sound.Indices...)
	}
	if want := []int{1, 2, 5, 6}; !slices.Equal(indices, want) {
		t.Errorf("images %v, want %v", indices, want)
	}
	if n := len(Batch{}.Sound().Labels); n != 0 {
		t.Errorf("%d images of an empty batch", n)
	}
}

func TestBatchesStopWithContext(t *testing.T) {
	d := &plain{n: 1000, delay: time.Second}
	order := make([]int, d.n)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		var last error
		for _, err := range Batches(ctx, d, order, LoadOptions{Config: onePixel, BatchSize: 100, Workers: 2}) {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("ended with %v, want %v", last, context.Canceled)
		}
		if n := d.loaded.Load(); n > 2 {
			t.Errorf("%d images loaded, want those in the making only", n)
		}
	})
}

func TestBatchesWrongOptions(t *testing.T) {
	d := &plain{n: 3}
	for want, opt := range map[string]LoadOptions{
		"batch size 0": {Config: onePixel},
		"-1 workers":   {Config: onePixel, BatchSize: 1, Workers: -1},
		"pre_size 0":   {BatchSize: 1},
		"image 7":      {Config: onePixel, BatchSize: 1},
	} {
		for _, err := range Batches(t.Context(), d, []int{1, 7}, opt) {
			wantInvalid(t, err, want)
		}
	}
}

// TestBatchesAreReproducible: the randomness of an image depends on seed, epoch
// and index, not on its neighbours nor on who makes it.
func TestBatchesAreReproducible(t *testing.T) {
	d, err := OpenImglist(write(t, t.TempDir(), "list", []byte("rgb.png 0\nrgba.png 0\n444.jpg 0\nstill.gif 0\n")), "../preprocess/testdata/formats")
	if err != nil {
		t.Fatal(err)
	}
	c := preprocess.Config{PreSize: 20, ImageSize: 16, Std: [3]float64{1, 1, 1}}
	augment, err := c.Augmentation("largescale")
	if err != nil {
		t.Fatal(err)
	}
	crops := func(order []int, workers, epoch int, seed uint64) map[int][]uint8 {
		made := map[int][]uint8{}
		opt := LoadOptions{Config: c, Augment: augment, BatchSize: len(order) - 1, Workers: workers, Seed: seed, Epoch: epoch}
		for batch, err := range Batches(t.Context(), d, order, opt) {
			if err != nil {
				t.Fatal(err)
			}
			for k, i := range batch.Indices {
				made[i] = bytes.Clone(batch.Pixels[k*c.CropLen():][:c.CropLen()])
			}
		}
		return made
	}
	first := crops([]int{0, 1, 2, 3}, 1, 5, 9)
	again := crops([]int{3, 1, 0, 2}, 3, 5, 9)
	later := crops([]int{0, 1, 2, 3}, 1, 6, 9)
	other := crops([]int{0, 1, 2, 3}, 1, 5, 10)
	for i := range d.Len() {
		if !bytes.Equal(first[i], again[i]) {
			t.Errorf("image %d differs in another order with more workers", i)
		}
		if bytes.Equal(first[i], later[i]) || bytes.Equal(first[i], other[i]) {
			t.Errorf("image %d is the same in another epoch or with another seed", i)
		}
	}
}

func BenchmarkBatchesJPEG400x300(b *testing.B) {
	waterbirds, err := preprocess.Preset("waterbirds")
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"none", "largescale"} {
		b.Run(name, func(b *testing.B) {
			d, err := OpenImglist("../preprocess/testdata/crops/photo.txt", "../preprocess/testdata/crops")
			if err != nil {
				b.Fatal(err)
			}
			benchmarkBatches(b, d, waterbirds, name)
		})
	}
}

// BenchmarkPIL400x300 is what BenchmarkBatchesJPEG400x300/largescale is to keep
// up with: the same work by PIL, with torchvision where that is installed, in
// one process.
func BenchmarkPIL400x300(b *testing.B) {
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import numpy, PIL").Run() != nil {
		b.Skip("PIL is not installed (Debian's python3-pil, python3-numpy)")
	}
	out, err := exec.Command(python, "testdata/pil.py", "../preprocess/testdata/crops/photo-420-400x300.jpg", strconv.Itoa(b.N)).Output()
	if err != nil {
		b.Fatal(err)
	}
	var library string
	var seconds, cpu float64
	if _, err := fmt.Sscan(string(out), &library, &seconds, &cpu); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(0, "ns/op") // would count the interpreter's start
	b.ReportMetric(float64(b.N)/seconds, library+"-images/s")
	b.ReportMetric(cpu*1e3/float64(b.N), "cpu-ms/image")
}

func BenchmarkBatchesIDX28x28(b *testing.B) {
	pixels := make([]uint8, 1000*28*28)
	for i := range pixels {
		pixels[i] = uint8(rand.IntN(256))
	}
	d := &idx{name: "random", width: 28, height: 28, pixels: pixels}
	benchmarkBatches(b, d, preprocess.Config{PreSize: 32, ImageSize: 32, Std: [3]float64{1, 1, 1}}, "classic")
}

// benchmarkBatches reports images per second on all processors, and the
// processors' time for an image, which other programs disturb less.
func benchmarkBatches(b *testing.B, d Dataset, c preprocess.Config, augmentation string) {
	augment, err := c.Augmentation(augmentation)
	if err != nil {
		b.Fatal(err)
	}
	order := make([]int, b.N)
	for i := range order {
		order[i] = i % d.Len()
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for _, err := range Batches(b.Context(), d, order, LoadOptions{Config: c, Augment: augment, BatchSize: 64}) {
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
	b.ReportMetric(float64(cpuTime(b)-before)/float64(time.Millisecond)/float64(b.N), "cpu-ms/image")
}

// cpuTime is what the process has used of all processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
