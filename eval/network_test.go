package eval

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/eval/features"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// tolerance of a score, relative to the spread of the reference's.
const tolerance = 1e-4

// TestReferenceFromImages takes the reference's images through the exported
// network and compares every method's scores. The network's last digits differ
// from the reference's, and relation counts pairs of images from 0.03 on: one
// pair in 200,000 crosses that line, which two images of a set may show.
func TestReferenceFromImages(t *testing.T) {
	n := openNetwork(t)
	train, validID := collect(t, n, "train"), collect(t, n, "val_id")
	d, err := n.Data(t.Context(), train, validID)
	if err != nil {
		t.Fatal(err)
	}
	observe(t, n, d, openImages(t, "train"), openImages(t, "val_id"))
	var methods []Entry
	for _, name := range posthoc.Names() {
		m := newMethod(t, name)
		if testmodel.HeadOf(m.Method) != "" {
			continue // TestHeadScores
		}
		switch m := m.Method.(type) {
		case *posthoc.VIM:
			m.Dim = 32 // the feature has 64
		case *posthoc.Residual:
			m.Dim = 32
		case *posthoc.TempScaling:
			m.Temperature = 1.252 // where the reference's optimiser stopped
		}
		if err := posthoc.Fit(m, d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		methods = append(methods, m)
	}
	want, err := checkpoint.Load("../posthoc/testdata/posthoc.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"val_id", "val_ood", "test_id", "test_ood"} {
		done := 0
		scores, err := n.Score(t.Context(), openImages(t, set), methods, ScanOptions{Done: func(n int) { done += n }})
		if err != nil {
			t.Fatal(err)
		}
		if done != 200 {
			t.Errorf("%d of 200 images are reported done", done)
		}
		for i, m := range methods {
			name, fast := strings.CutSuffix(m.Name, "_fast") // the logarithm of the exact score
			name, negated := strings.CutSuffix(name, "_negated")
			values, err := want.Model[name+"."+set].Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range values {
				switch {
				case fast:
					values[k] = float32(math.Log(float64(v)))
				case negated:
					values[k] = -v
				}
			}
			spread := float64(slices.Max(values) - slices.Min(values))
			worst, crossings := 0.0, 0
			for k, w := range values {
				off := math.Abs(scores[i].Values[k] - float64(w))
				if m.Name == "relation" && crossings < 2 && math.Abs(off-0.03) < tolerance*spread {
					crossings++
					continue
				}
				worst = max(worst, off/spread)
			}
			t.Logf("%-8s %-12s differs by %.1e of the spread", set, m.Name, worst)
			if !(worst <= tolerance) {
				t.Errorf("%s of %s differs by %g of the spread, more than %g", m.Name, set, worst, tolerance)
			}
		}
	}
}

// TestReferenceSettingsFromImages compares the scores of further settings. adascale moves
// the 5% of an image's elements whose |g| is smallest; at the border of these the last
// digits decide, so that some images, other ones on each processor, have another q than in the reference, some places
// away among the validation images' q. They have the score that the reference has when q
// is in its place.
func TestReferenceSettingsFromImages(t *testing.T) {
	n := openNetwork(t)
	train, validID := openImages(t, "train"), openImages(t, "val_id")
	e := &Evaluation{Network: n, Train: Set{Images: train}, ValidID: Set{Images: validID}}
	want, err := checkpoint.Load("../posthoc/testdata/posthoc.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, settings, name string
		places, most           int // how far an image's q may be away, and of how many images it may
	}{
		{"mds_ensemble", `{"noise":0}`, "mds_ensemble.noise0", 0, 0},
		{"adascale_a", `{"low":60,"high":95,"k1":25,"k2":10}`, "adascale_a.k25_10", 12, 10},
	} {
		asked := newMethod(t, c.method)
		if err := posthoc.Configure(asked.Method, c.settings); err != nil {
			t.Fatal(err)
		}
		from, err := e.gather(t.Context(), []Choice{{Entry: asked}})
		if err != nil {
			t.Fatal(err)
		}
		defer from.free()
		elsewhere := 0
		for _, set := range []string{"val_id", "val_ood", "test_id", "test_ood"} {
			values, err := want.Model[c.name+"."+set].Float32s()
			if err != nil {
				t.Fatal(err)
			}
			elsewhere += compareAt(t, c.name+" of "+set, n, openImages(t, set), values, c.places, func(rank int) Entry {
				return learnt(t, from.Data, c.method, c.settings, rank)
			})
		}
		t.Logf("%s: %d images have another q", c.name, elsewhere)
		if elsewhere > c.most {
			t.Errorf("%s: %d images have another q, want at most %d", c.name, elsewhere, c.most)
		}
	}
}

// compareAt compares the scores of images by a method, and where they differ by the same for a q that is up to so many
// places away. It returns of how many images it is.
func compareAt(t *testing.T, what string, n *Network, images dataset.Dataset, want []float32, places int, method func(rank int) Entry) (elsewhere int) {
	t.Helper()
	limit := tolerance * float64(slices.Max(want)-slices.Min(want))
	differ := func(some []int, rank int) []int {
		scores, err := n.Score(t.Context(), dataset.Subset(images, some), []Entry{method(rank)}, ScanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var off []int
		for k, i := range some {
			if !(math.Abs(scores[0].Values[k]-float64(want[i])) <= limit) {
				off = append(off, i)
			}
		}
		return off
	}
	all := make([]int, len(want))
	for i := range all {
		all[i] = i
	}
	off := differ(all, 0)
	elsewhere = len(off)
	for k := 2; k <= 2*places+1 && len(off) > 0; k++ {
		off = differ(off, k/2*(1-k%2*2)) // 1, -1, 2, -2, ...
	}
	if len(off) > 0 {
		t.Errorf("%s: images %v differ by more than %g, wherever their q are", what, off, limit)
	}
	return elsewhere
}

// learnt is a method that has learned from data, for images whose q is so many places away.
func learnt(t *testing.T, d *posthoc.Data, name, settings string, rank int) Entry {
	t.Helper()
	const q = "adascale-25-10"
	m := newMethod(t, name)
	if err := posthoc.Configure(m.Method, settings); err != nil {
		t.Fatal(err)
	}
	if rank != 0 {
		here := d.Observed[q]
		d.Observed[q] = moved(t, here, rank)
		defer func() { d.Observed[q] = here }()
	}
	if err := posthoc.Fit(m.Method, d); err != nil {
		t.Fatal(err)
	}
	return m
}

// moved is what was observed of images, one number each, with so many of the lowest made the
// highest, or, where rank is negative, the other way round: as many more are above the
// others, or fewer.
func moved(t *testing.T, b posthoc.Bank, rank int) *posthoc.Set {
	t.Helper()
	all := &posthoc.Set{}
	for block, err := range b.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		all.Feature.Cols, all.Logits.Cols = block.Feature.Cols, block.Logits.Cols
		all.Logits.Data, all.Labels = append(all.Logits.Data, block.Logits.Data...), append(all.Labels, block.Labels...)
		all.Feature.Data = append(all.Feature.Data, block.Feature.Data...)
	}
	q := all.Feature.Data
	for ; rank > 0; rank-- {
		q[slices.Index(q, slices.Min(q))] = math.MaxFloat32
	}
	for ; rank < 0; rank++ {
		q[slices.Index(q, slices.Max(q))] = -math.MaxFloat32
	}
	return all
}

// openNetwork exports the reference's network.
func openNetwork(t *testing.T) *Network {
	t.Helper()
	c, err := checkpoint.Load("testdata/net.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return export32(t, c)
}

// export32 exports and opens a resnet18_32x32.
func export32(t *testing.T, c *checkpoint.Checkpoint) *Network {
	t.Helper()
	half := [3]float64{.5, .5, .5}
	pre := &preprocess.Config{PreSize: 32, ImageSize: 32, Mean: half, Std: half}
	if c.Meta.Preprocess != nil {
		pre = nil // as it says
	}
	model, meta, err := export.FromCheckpoint(c, export.Options{
		Name: "net", Arch: "resnet18_32x32", Score: artifact.Score{Name: artifact.ScoreIODIN, Temperature: 1000, Noise: 0.0014},
		Preprocess: pre,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := artifact.Save(path, model, meta); err != nil {
		t.Fatal(err)
	}
	n, err := OpenNetwork(path, ioodin.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func openImages(t *testing.T, set string) dataset.Dataset {
	t.Helper()
	d, err := dataset.Open("testdata/images/"+set+"-images-idx3-ubyte.gz", "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func collect(t *testing.T, n *Network, set string) *posthoc.Set {
	t.Helper()
	return collectFrom(t, n, openImages(t, set))
}

// observe adds what methods observe of images to what they learn from.
func observe(t *testing.T, n *Network, d *posthoc.Data, train, validID dataset.Dataset) {
	t.Helper()
	for _, name := range posthoc.Names() {
		for _, o := range posthoc.Observations(newMethod(t, name).Method, d) {
			images := train
			if o.ValidID {
				images = validID
			}
			to, err := features.Create("", "", images.Len())
			if err != nil {
				t.Fatal(err)
			}
			f, err := n.Observe(t.Context(), images, o, to, ScanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			d.Observed[o.Name] = f
		}
	}
}

func collectFrom(t *testing.T, n *Network, d dataset.Dataset) *posthoc.Set {
	t.Helper()
	to, err := features.Create("", "", d.Len())
	if err != nil {
		t.Fatal(err)
	}
	f, err := n.Collect(t.Context(), d, to, ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newMethod(t testing.TB, name string) Entry {
	t.Helper()
	m, err := posthoc.New(name)
	if err != nil {
		t.Fatal(err)
	}
	return Entry{name, m}
}

// TestASCOODHead checks that energies are of the network's logits, and that
// changed features go through the last layer without the standardisation.
func TestASCOODHead(t *testing.T) {
	c, err := checkpoint.Load("../testdata/nets/ascood-resnet18_32x32.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	n := export32(t, c)
	s := collectFrom(t, n, dataset.Subset(openImages(t, "test_id"), []int{3, 1, 4}))
	d, err := n.Data(t.Context(), s, s)
	if err != nil {
		t.Fatal(err)
	}
	methods := []Entry{newMethod(t, "ebo"), {"react", &posthoc.ReAct{Percentile: 100}}} // which changes nothing
	for _, m := range methods {
		if err := posthoc.Fit(m, d); err != nil {
			t.Fatal(err)
		}
	}
	scores, err := ScoreSet(s, openImages(t, "test_id"), methods, ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		plain := make([]float32, len(d.Bias))
		for k, b := range d.Bias {
			plain[k] = b
			for j, h := range s.Feature.Row(i) {
				plain[k] += h * d.Weight.Row(k)[j]
			}
		}
		for k, z := range [][]float32{s.Logits.Row(i), plain} {
			sum := 0.0
			for _, v := range z {
				sum += math.Exp(float64(v))
			}
			if got := scores[k].Values[i]; math.Abs(got-math.Log(sum)) > 1e-4 {
				t.Errorf("%s scores image %d %v, want %v", methods[k].Name, i, got, math.Log(sum))
			}
		}
		if math.Abs(scores[0].Values[i]-scores[1].Values[i]) < 1e-2 {
			t.Errorf("image %d: the standardisation makes no difference", i)
		}
	}
}
