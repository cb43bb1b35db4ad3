package train

import (
	"math"
	"slices"
	"testing"

	"github.com/ascood/ascood/gotorch"
)

// ramp is 0, 1, … as [shape].
func ramp(s *gotorch.Scope, shape ...int) gotorch.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return gotorch.Arange(s, 0, n, gotorch.Float32).View(shape...)
}

func TestGradientOutliers(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	x := ramp(s, 1, 3, 2, 2)
	m := gotorch.FromSlice(s, []float32{.1, -.9, .2, 0, .3, .4, .5, -.6, .7, .8, -.2, 0}, 1, 3, 2, 2)
	got := gotorch.ToSlice[float32](gradientOutliers(x, m, 10, 3))
	want := []float32{0, 1 - 9, 2, 3, 4, 5, 6, 7, 8 + 7, 9 + 8, 10, 11}
	if err := s.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestShuffleOutliers(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	x := ramp(s, 1, 3, 2, 2)
	// Pixel 3 has the largest sum of exp, though not the largest sum; then 0, 1, 2.
	m := gotorch.FromSlice(s, []float32{1, 1, 0, 3, 1, 1, 0, -1, 1, .9, 0, -1}, 1, 3, 2, 2)
	top := salientPixels(m, 3)
	if got, want := gotorch.ToSlice[int64](top), []int64{3, 0, 1}; !slices.Equal(got, want) {
		t.Fatalf("most salient pixels %v, want %v", got, want)
	}
	permutation := gotorch.FromSlice(s, []int64{1, 2, 0}, 1, 3)
	got := gotorch.ToSlice[float32](shuffleOutliers(x, top, permutation))
	want := []float32{1, 3, 2, 0, 5, 7, 6, 4, 9, 11, 10, 8} // 3 gets 0, 0 gets 1, 1 gets 3
	if err := s.Err(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// TestRandomPixels: outliers of random pixels need no saliency, and each time move
// other pixels of each image.
func TestRandomPixels(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	of, err := newOutliers(ASCOOD{OODType: OODShuffle, Pixels: PixelsRandom, PInv: 0.25}, 8)
	if err != nil {
		t.Fatal(err)
	}
	x := ramp(s, 40, 3, 8, 8)
	random := gotorch.NewGenerator(s, gotorch.CPU, 3)
	ood := of(batch{scope: s, x: x, random: random})
	before, after := gotorch.ToSlice[float32](x), gotorch.ToSlice[float32](ood)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	moved := make([]int, 64) // how often each pixel is moved
	for image := range 40 {
		own := before[image*192:][:192]
		got := after[image*192:][:192]
		if !slices.Equal(slices.Sorted(slices.Values(own)), slices.Sorted(slices.Values(got))) {
			t.Fatalf("image %d has other values than before", image)
		}
		changed := 0
		for p := range 64 {
			if got[p] != own[p] {
				changed++
				moved[p]++
			}
			if got[64+p]-got[p] != 64 {
				t.Errorf("the channels of pixel %d of image %d are parted", p, image)
			}
		}
		if changed < 8 || changed > 16 { // of 16, about one stays in its place
			t.Errorf("%d pixels of image %d are moved, want at most 16", changed, image)
		}
	}
	if slices.Min(moved) == 0 || slices.Max(moved) > 25 {
		t.Errorf("the pixels of 40 images are moved %v times", moved)
	}
}

func TestPermutations(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	draw := func(seed uint64) []int64 {
		return gotorch.ToSlice[int64](permutations(s, gotorch.Zeros(s, []int{50, 20}), gotorch.NewGenerator(s, gotorch.CPU, seed)))
	}
	all := draw(1)
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	firsts := map[int64]bool{}
	for row := range slices.Chunk(all, 20) {
		firsts[row[0]] = true
		sorted := slices.Sorted(slices.Values(row))
		for i, v := range sorted {
			if v != int64(i) {
				t.Fatalf("%v is no permutation", row)
			}
		}
	}
	if len(firsts) < 10 {
		t.Errorf("50 rows begin with %d different numbers of 20", len(firsts))
	}
	if !slices.Equal(all, draw(1)) || slices.Equal(all, draw(2)) {
		t.Error("the seed does not decide what is drawn")
	}
}

func TestGaussianOutliers(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	x := gotorch.Ones(s, []int{16, 3, 32, 32})
	noise := gaussianOutliers(s, x, 0.1, gotorch.NewGenerator(s, gotorch.CPU, 1))
	mean, std := noise.Mean().Item(), noise.Std().Item()
	if !slices.Equal(noise.Shape(), x.Shape()) || math.Abs(mean) > 2e-3 || math.Abs(std-0.1) > 2e-3 {
		t.Errorf("noise of shape %v with mean %.4f and std %.4f, want mean 0 and std 0.1", noise.Shape(), mean, std)
	}
}

func TestNewOutliers(t *testing.T) {
	for _, test := range []struct {
		oodType string
		share   float64
		pixels  string
		want    string
	}{
		{"noise", 0.1, "", `unknown ood_type "noise"; known are gradient, shuffle, gaussian`},
		{OODShuffle, 0.001, "", "p_inv 0.001: less than one pixel of 28x28"},
		{OODShuffle, 0.002, "", ""},
		{OODShuffle, 0.002, PixelsRandom, ""},
		{OODShuffle, 0.1, "dark", `unknown pixels "dark"; known are salient, random`},
		{OODGradient, 0.1, PixelsRandom, "pixels random: only outliers of ood_type shuffle change pixels at random"},
	} {
		_, err := newOutliers(ASCOOD{OODType: test.oodType, PInv: test.share, Pixels: test.pixels}, 28)
		if got := message(err); got != test.want {
			t.Errorf("%s, %g: error %q, want %q", test.oodType, test.share, got, test.want)
		}
	}
}

// TestOutlierKinds makes outliers of a tenth of images of 32x32 pixels: 102 pixels, or 307
// elements.
func TestOutlierKinds(t *testing.T) {
	s := gotorch.NewScope()
	defer s.Close()
	const alpha = 3
	draws := func() *gotorch.Generator { return gotorch.NewGenerator(s, gotorch.CPU, 5) }
	x := gotorch.RandN(s, []int{2, 3, 32, 32}, gotorch.CPU, draws())
	m := gotorch.RandN(s, x.Shape(), gotorch.CPU, gotorch.NewGenerator(s, gotorch.CPU, 6))
	top := salientPixels(m, 102)
	for oodType, want := range map[string]gotorch.Tensor{
		OODGradient: gradientOutliers(x, m, alpha, 307),
		OODShuffle:  shuffleOutliers(x, top, permutations(s, top, draws())),
		OODGaussian: gaussianOutliers(s, x, alpha, draws()),
	} {
		makeOutliers, err := newOutliers(ASCOOD{OODType: oodType, PInv: 0.1}, 32)
		if err != nil {
			t.Fatal(err)
		}
		got := makeOutliers(batch{scope: s, x: x, saliency: func() gotorch.Tensor { return m }, alpha: alpha, random: draws()})
		if err := s.Err(); err != nil || !slices.Equal(gotorch.ToSlice[float32](got), gotorch.ToSlice[float32](want)) {
			t.Errorf("%s: not the outliers of a tenth of the images (%v)", oodType, err)
		}
	}
}

// message is an error's text, "" for none.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
