package posthoc

import (
	"iter"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
)

// logs returns the logits of given probabilities.
func logs(p ...float32) []float32 {
	z := make([]float32, len(p))
	for i, v := range p {
		z[i] = float32(math.Log(float64(v)))
	}
	return z
}

// TestFormulas scores one image whose logits and feature are so simple that the score
// can be written down, where the reference's scores say little.
func TestFormulas(t *testing.T) {
	identity := Data{Weight: Matrix{[]float32{1, 0, 0, 1}, 2}, Bias: []float32{0, 0}}
	// Predicted 0 with probability 3/4; no image is predicted 1.
	validID := Set{Batch: Batch{Logits: Matrix{logs(.75, .25), 2}, Feature: Matrix{make([]float32, 2), 2}}, Labels: []int{0}}
	for _, c := range []struct {
		name    string
		method  Method
		data    Data
		logits  []float32
		feature []float32
		want    float64
	}{
		{name: "ebo at T = 2", method: &EBO{Temperature: 2}, logits: []float32{2, 6}, want: 2 * math.Log(math.Exp(1)+math.Exp(3))},
		{name: "gen of the two largest of four", method: &GEN{Gamma: .5, M: 2}, data: Data{Bias: make([]float32, 4)}, logits: logs(.125, .5, .125, .25),
			want: -math.Sqrt(.5*.5) - math.Sqrt(.25*.75)},
		{name: "gen of fewer classes than M", method: &GEN{Gamma: 2, M: 5}, data: Data{Bias: make([]float32, 2)}, logits: logs(.5, .5), want: -2. / 16},
		// The probabilities are 3/4 and 1/4: Σ|2p-1| = 1.
		{name: "gradnorm of a negative feature", method: &GradNorm{}, data: identity, feature: []float32{float32(math.Log(3)) - 1, -1},
			want: math.Abs(math.Log(3)-1) + 1},
		{name: "klm of a certain image of a class without any", method: &KLM{},
			data: Data{Bias: make([]float32, 2), ValidID: &validID}, logits: []float32{-2000, 0}, want: 0},
		{name: "klm of an image like those of the other class", method: &KLM{},
			data: Data{Bias: make([]float32, 2), ValidID: &validID}, logits: logs(.5, .5), want: -math.Log(2 / math.Sqrt(3))},
		// The weights are 2 apart, the logits 3; the length of the feature is 5.
		{name: "fdbd over the feature's length", method: &FDBD{}, data: Data{
			Weight: Matrix{[]float32{1, 0, -1, 0}, 2}, Bias: make([]float32, 2),
			Train: &Set{Batch: Batch{Logits: Matrix{make([]float32, 2), 2}, Feature: Matrix{[]float32{3, 4}, 2}}, Labels: []int{0}},
		}, logits: []float32{4, 1}, feature: []float32{3, 4}, want: 3. / 2 / 5},
		// The median contribution, 3, is not kept.
		{name: "dice", method: &DICE{Percentile: 50}, data: Data{
			Weight: Matrix{[]float32{1, 2, 3, 4, 5}, 5}, Bias: []float32{.5},
			Train: &Set{Batch: Batch{Logits: Matrix{[]float32{0}, 1}, Feature: Matrix{[]float32{1, 1, 1, 1, 1}, 5}}, Labels: []int{0}},
		}, feature: []float32{1, 2, 3, 4, 5}, want: 4*4 + 5*5 + .5},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.method.Fit(&c.data); err != nil {
				t.Fatal(err)
			}
			if c.feature == nil {
				c.feature = []float32{0}
			}
			if c.logits == nil {
				c.logits = []float32{0}
			}
			got := scoreOf(t, c.method, &Batch{Logits: Matrix{c.logits, len(c.logits)}, Feature: Matrix{c.feature, len(c.feature)}})
			if len(got) != 1 || !(math.Abs(got[0]-c.want) <= 1e-6) {
				t.Errorf("scores %v, want %v", got, c.want)
			}
		})
	}
}

// TestRankFeat has maps of two channels whose rows are at right angles, so that the
// longer row is the largest singular component.
func TestRankFeat(t *testing.T) {
	shape := []int{2, 2, 2, 3}
	third := []float32{
		3, 0, 4, 0, 0, 0 /**/, 0, 2, 0, 0, 0, 0,
		1, 0, 0, 0, 0, 0 /**/, 0, 0, 0, 0, 3, 0,
	}
	fourth := []float32{
		0, 0, 12, 0, 0, 0 /**/, 0, 0, 0, 0, 0, 24,
		6, 0, 0, 0, 6, 0 /**/, 0, 3, 0, 0, 0, 3,
	}
	// What follows the third stage computes the feature from the elements that it should see:
	// 2 where the second row has its longest, 1 where the first of the second image has it.
	network := onnx.NewBuilder("network")
	network.Input("image", "", onnx.TensorProto_FLOAT, onnx.Batch)
	network.Rename(network.Op("Identity", []string{"image"}), artifact.Layer3)
	flat := network.Op("Flatten", []string{artifact.Layer3})
	weight := make([]float32, 12*2) // of the element [1,0,1] and of [0,0,0]
	weight[7*2+1], weight[0*2], weight[0*2+1] = 2, 2, 1
	network.Rename(network.Op("MatMul", []string{flat, network.Weights("weight", weight, 12, 2)}), artifact.Feature)
	m := &RankFeat{}
	file, err := network.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	data := &Data{Weight: Matrix{[]float32{1, 0, 0, 2}, 2}, Bias: []float32{.5, 0}, Network: file.Graph}
	if err := Fit(m, data); err != nil {
		t.Fatal(err)
	}
	got := scoreOf(t, m, &Batch{Logits: Matrix{make([]float32, 2), 1}, Graph: map[string]Tensor{artifact.Layer3: {Data: third, Shape: shape}, artifact.Layer4: {Data: fourth, Shape: shape}}})
	// The mean features of what is left of the fourth stage are (2,0) and (0,1); with those
	// after the third they average to (1,2) and (1,1).
	want := []float64{math.Log(math.Exp(1.5) + math.Exp(4)), math.Log(math.Exp(1.5) + math.Exp(2))}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-6) {
			t.Errorf("image %d scores %v, want %v", i, got[i], want[i])
		}
	}
}

// small is a bank that comes in blocks of a few images.
type small struct{ *Set }

func (b small) Blocks() iter.Seq2[*Set, error] {
	return func(yield func(*Set, error) bool) {
		const few = 300
		for from := 0; from < b.Len(); from += few {
			to := min(from+few, b.Len())
			block := &Set{Batch{Logits: b.Logits.Slice(from, to), Feature: b.Feature.Slice(from, to)}, b.Labels[from:to]}
			if !yield(block, nil) {
				return
			}
		}
	}
}

// TestTrainingImagesInBlocks fits and scores by a bank in blocks and by the same in
// one.
func TestTrainingImagesInBlocks(t *testing.T) {
	ref := loadReference(t)
	whole, blocks := ref.data(t), ref.data(t)
	blocks.Train = small{ref.set(t, "train")}
	b := &ref.set(t, "test_ood").Batch
	for _, name := range Names() {
		if needs := newMethod(t, name).Needs(); !needs.Train || needs.Graph != nil {
			continue
		}
		want, got := fitAndScore(t, name, whole, b), fitAndScore(t, name, blocks, b)
		spread := slices.Max(want) - slices.Min(want)
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-9*spread) {
				t.Fatalf("%s: image %d scores %v, want %v", name, i, got[i], want[i])
			}
		}
	}
}

// TestManyImages scores more than BlockRows images, which are the same few over and
// over.
func TestManyImages(t *testing.T) {
	ref := loadReference(t)
	d, few := ref.data(t), ref.set(t, "test_id").Batch
	const times = BlockRows/200 + 1
	many := Batch{
		Logits:  Matrix{slices.Repeat(few.Logits.Data, times), few.Logits.Cols},
		Feature: Matrix{slices.Repeat(few.Feature.Data, times), few.Feature.Cols},
	}
	for _, name := range Names() {
		if newMethod(t, name).Needs().Graph != nil {
			continue
		}
		want, got := fitAndScore(t, name, d, &few), fitAndScore(t, name, d, &many)
		if len(got) != times*len(want) {
			t.Fatalf("%s: %d scores for %d images", name, len(got), times*len(want))
		}
		spread := slices.Max(want) - slices.Min(want)
		for i, v := range got {
			if !(math.Abs(v-want[i%len(want)]) <= 1e-6*spread) {
				t.Fatalf("%s: image %d scores %v, want %v", name, i, v, want[i%len(want)])
			}
		}
	}
}

func fitAndScore(t *testing.T, name string, d *Data, b *Batch) []float64 {
	t.Helper()
	m := narrow(t, name)
	if err := Fit(m, d); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return scoreOf(t, m, b)
}

// TestWhitenCutOff has variances around 2⁻⁵² times the largest times their number:
// directions that vary no more do not count.
func TestWhitenCutOff(t *testing.T) {
	const unit = 0x1p-52
	variances := []float64{2, 8 * unit, 9 * unit, 7 * unit}
	covariance := mat.NewSymDense(4, nil)
	for i, v := range variances {
		covariance.SetSym(i, i, v)
	}
	w, err := whiten(covariance, make([]float64, 4))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1. / 2, 0, 1 / (9 * unit), 0} {
		x := make([]float64, 4)
		x[i] = 1
		y := w.point(x)
		if got := squaredDistance(y, make([]float64, 4)); !(math.Abs(got-want) <= 1e-9*want) {
			t.Errorf("a step of 1 where the variance is %v has the squared length %v, want %v", variances[i], got, want)
		}
	}
}

// TestSoftmax has logits whose exponentials are no numbers.
func TestSoftmax(t *testing.T) {
	for _, c := range []struct {
		z    []float32
		t    float64
		want []float64
	}{
		{logs(.2, .3, .5), 1, []float64{.2, .3, .5}},
		{logs(.01, .25), .5, []float64{.0001 / .0626, .0625 / .0626}},
		{[]float32{2000, 2000}, 1, []float64{.5, .5}},
		{[]float32{-2000, -2000}, 1, []float64{.5, .5}},
	} {
		got := softmax(c.z, c.t)
		for i := range c.want {
			if !(math.Abs(got[i]-c.want[i]) <= 1e-6) {
				t.Errorf("softmax(%v/%v) is %v, want %v", c.z, c.t, got, c.want)
			}
		}
	}
	for _, z := range [][]float32{{2000, 2000}, {-2000, -2000}} {
		if got, want := energy(z), float64(z[0])+math.Log(2); math.Abs(got-want) > 1e-9 {
			t.Errorf("the energy of %v is %v, want %v", z, got, want)
		}
	}
}

func TestArgmax(t *testing.T) {
	for want, v := range [][]float32{{3}, {1, 2, 2, -5}, {0, 1, 2}} {
		if got := argmax(v); got != want {
			t.Errorf("the largest of %v is at %d, want %d", v, got, want)
		}
	}
	if got := argmax([]float32{2, 2}); got != 0 {
		t.Errorf("of equal ones number %d is taken, want the first", got)
	}
}

func TestNoRows(t *testing.T) {
	if got := (Matrix{}).Rows(); got != 0 {
		t.Errorf("a matrix of nothing has %d rows", got)
	}
}

// TestRelationPower compares an image with one that it is half related to, and with one
// that it is not related to.
func TestRelationPower(t *testing.T) {
	bank := &Set{Batch: Batch{Logits: Matrix{logs(.5, .5, .5, .5), 2}, Feature: Matrix{[]float32{2, 0, 0, 1}, 2}}, Labels: []int{0, 1}}
	b := &Batch{Logits: Matrix{logs(.5, .5), 2}, Feature: Matrix{[]float32{3, 0}, 2}}
	for power, want := range map[float64]float64{1: 0.5, 2: 0.25, 4: 0.0625} {
		if got := scoreOf(t, &Relation{Power: power, bank: bank}, b); math.Abs(got[0]-want) > 1e-6 {
			t.Errorf("0.5 to the power %v is %v, want %v", power, got, want)
		}
	}
}

// TestCombinedFormulas places an image between the scores of others.
func TestCombinedFormulas(t *testing.T) {
	b := &Batch{Logits: Matrix{[]float32{3, 1, -9, -9}, 2}, Feature: Matrix{make([]float32, 2), 1}}
	for rule, want := range map[Rule][]float64{
		// The largest logit is 3, above two of four places: its p-value is 3/5; the energy
		// is above all three: 1. The other image is below all.
		Fisher:  {math.Log(3. / 5), math.Log(1./5) + math.Log(1./4)},
		Minimum: {2 * 3. / 5, 2 * 1. / 5},
	} {
		c, err := NewCombined([]string{"mls", "ebo"}, rule)
		if err != nil {
			t.Fatal(err)
		}
		if err := Fit(c, loadReference(t).data(t)); err != nil {
			t.Fatal(err)
		}
		c.Place([][]float64{{7, 2, 3, 5}, {1, 0, 2}})
		for i, got := range scoreOf(t, c, b) {
			if math.Abs(got-want[i]) > 1e-9 {
				t.Errorf("%s: image %d scores %v, want %v", rule, i, got, want[i])
			}
		}
	}
}
