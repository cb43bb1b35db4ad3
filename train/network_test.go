package train

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/internal/testmodel"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/weights"
)

var sigma = map[string]float64{models.Sigma: 0.5}

// loadNet reads a reference network and its inputs and outputs.
func loadNet(t *testing.T, scope *gotorch.Scope, name string, dtype gotorch.DType) (*network, func(key string) gotorch.Tensor) {
	t.Helper()
	read := func(file string) checkpoint.StateDict {
		c, err := checkpoint.Load(filepath.Join("..", "testdata", "nets", file))
		if err != nil {
			t.Fatal(err)
		}
		return c.Model
	}
	state := read(name + ".safetensors")
	found, err := weights.Find((&checkpoint.Checkpoint{Model: state}).File(), weights.Options{Arch: strings.TrimPrefix(name, "ascood-")})
	if err != nil {
		t.Fatal(err)
	}
	g, err := models.New(found.Spec, 0)
	if err != nil {
		t.Fatal(err)
	}
	net, err := newNetwork(scope, g, state, placement{device: gotorch.CPU, layout: channelsLast, dtype: dtype})
	if err != nil {
		t.Fatal(err)
	}
	io := read(name + ".io.safetensors")
	return net, func(key string) gotorch.Tensor {
		if values, err := io[key].Int64s(); err == nil {
			return gotorch.FromSlice(scope, values, io[key].Shape...)
		}
		values, err := io[key].Float32s()
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return gotorch.FromSlice(scope, values, io[key].Shape...).To(dtype)
	}
}

// off is the largest difference relative to want's largest magnitude.
func off(got, want gotorch.Tensor) float64 {
	return got.Sub(want).Abs().Max().Item() / want.Abs().Max().Item()
}

// TestNetworks compares logits and saliency with the reference's, and makes sure
// that neither changes the network. In float64 they agree to its last digit; in float32 a ReLU
// whose input is as good as 0 may change a part of the saliency, which one depends on the processor.
func TestNetworks(t *testing.T) {
	for _, name := range []string{"resnet18_32x32", "ascood-resnet18_32x32", "lenet"} {
		for _, dtype := range []gotorch.DType{gotorch.Float64, gotorch.Float32} {
			t.Run(fmt.Sprintf("%s in %v", name, dtype), func(t *testing.T) {
				scope := gotorch.NewScope()
				defer scope.Close()
				net, io := loadNet(t, scope, name, dtype)
				before, err := net.stateDict()
				if err != nil {
					t.Fatal(err)
				}
				limit := map[gotorch.DType]float64{gotorch.Float64: exact, gotorch.Float32: rounded}[dtype]
				if d := off(net.forward(io("x"), inference), io("logits")); !(d <= limit) {
					t.Errorf("logits are off by %.2g of the largest, want at most %g", d, limit)
				}
				got, want := saliencyOf(&learner{net: net}, scope, io("x"), io("target")), io("saliency")
				if d := off(got, want); dtype == gotorch.Float64 && !(d <= exact) {
					t.Errorf("the saliency is off by %.2g of its largest, want at most %g", d, exact)
				}
				if d := norm(got.Sub(want)) / norm(want); !(d <= whole) {
					t.Errorf("the saliency is off by %.2g of its length, want at most %g", d, whole)
				}
				after, err := net.stateDict()
				if err != nil {
					t.Fatal(err)
				}
				if !equalStates(before, after) {
					t.Error("inference changed the network")
				}
			})
		}
	}
}

func norm(t gotorch.Tensor) float64 { return math.Sqrt(t.Mul(t).Sum().Item()) }

func equalStates(a, b checkpoint.StateDict) bool {
	return maps.EqualFunc(a, b, func(x, y *checkpoint.Tensor) bool {
		return x.DType == y.DType && slices.Equal(x.Shape, y.Shape) && slices.Equal(x.Data, y.Data)
	})
}

// TestSaliencyNeedsNoWeights: what inference computes is constant to autograd
// but for the image, so no gradient of a weight can be computed.
func TestSaliencyNeedsNoWeights(t *testing.T) {
	scope := gotorch.NewScope()
	defer scope.Close()
	net, io := loadNet(t, scope, "ascood-resnet18_32x32", gotorch.Float32)
	if net.forward(io("x"), inference).RequiresGrad() {
		t.Error("logits of inference depend on weights")
	}
	if !net.forward(io("x"), training).RequiresGrad() {
		t.Error("logits of training do not depend on weights")
	}
}

// TestLayouts takes the first gradients in both layouts, in float64, where they
// differ by rounding alone (see TestReference).
func TestLayouts(t *testing.T) {
	ref := readReference(t, OODGradient)
	scope := gotorch.NewScope()
	defer scope.Close()
	c := Default(OODGradient)
	c.Arch, c.Width = "resnet18_32x32", 8
	x, y := ref.tensor(t, scope, "batch0.data", gotorch.Float64), ref.integers(t, scope, "batch0.label")
	ood := uploadGiven(t, scope, ref.want, "step0.ood", gotorch.Float64)
	take := func(order layout) []gotorch.Tensor {
		g, err := models.New(c.spec(10), referenceSize)
		if err != nil {
			t.Fatal(err)
		}
		net, err := newNetwork(scope, g, ref.init(), placement{device: gotorch.CPU, layout: order, dtype: gotorch.Float64})
		if err != nil {
			t.Fatal(err)
		}
		l, err := newLearner(c, net, referenceSize, 1)
		if err != nil {
			t.Fatal(err)
		}
		total := lossOf(l, scope, x, ood, y, when{}).total()
		return append(gotorch.Grad([]gotorch.Tensor{total}, l.sgd.Params(), gotorch.GradOptions{}), total)
	}
	last, major := take(channelsLast), take(rowMajor)
	for i := range last {
		if d := off(last[i], major[i]); !(d < 1e-9) {
			t.Errorf("gradient %d of %d: the layouts are %.2g of its largest magnitude apart", i, len(last)-1, d)
		}
	}
	if err := scope.Err(); err != nil {
		t.Error(err)
	}
}

// TestTrainAll makes a step with every architecture and head that there is.
func TestTrainAll(t *testing.T) {
	for _, arch := range models.Archs() {
		for _, method := range []string{MethodASCOOD, MethodCE} {
			t.Run(arch+"/"+method, func(t *testing.T) {
				scope := gotorch.NewScope()
				defer scope.Close()
				c := Default(OODShuffle)
				c.Arch, c.Method, c.Width = arch, method, testmodel.Narrow(arch)
				st := newStepper(t, scope, c, smallSize(arch), 4)
				before, err := st.learner.net.stateDict()
				if err != nil {
					t.Fatal(err)
				}
				st.step(t)
				after, err := st.learner.net.stateDict()
				if err != nil {
					t.Fatal(err)
				}
				for name := range before {
					same := slices.Equal(before[name].Data, after[name].Data)
					if constant := name == "sigma" || strings.HasSuffix(name, "relative_position_index"); same != constant {
						t.Errorf("%s: unchanged is %v, want %v", name, same, constant)
					}
				}
			})
		}
	}
}

// smallSize is that of small images for an architecture.
func smallSize(arch string) int {
	if arch == "lenet" {
		return 28
	}
	return 32
}

// TestStepError: what libtorch objects to is the step's error.
func TestStepError(t *testing.T) {
	for _, method := range []string{MethodASCOOD, MethodCE} {
		scope := gotorch.NewScope()
		defer scope.Close()
		c := Default(OODGradient)
		c.Arch, c.Method = "lenet", method
		st := newStepper(t, scope, c, 28, 4)
		s := gotorch.NewScope()
		defer s.Close()
		x := st.input.images(s, st.pixels, 4)
		_, err := st.learner.step(st.learner.at(s, x, st.input.labels(s, []int64{1, 2, 3, 99}), st.at))
		if err == nil || !strings.Contains(err.Error(), "99") && !strings.Contains(err.Error(), "out of bounds") {
			t.Errorf("%s: a label of 99 among 10 classes: %v", method, err)
		}
	}
}

// TestNotFinite: weights that are not numbers do not reach a file.
func TestNotFinite(t *testing.T) {
	scope := gotorch.NewScope()
	defer scope.Close()
	net, _ := loadNet(t, scope, "lenet", gotorch.Float32)
	net.frozen["fc.bias"].FillI(math.Inf(1))
	_, err := net.stateDict()
	if want := "fc.bias: the value +Inf is not finite: training has diverged; lower lr"; message(err) != want {
		t.Errorf("error %q, want %q", message(err), want)
	}
}

// TestInitialOfTorchvision: convolutions are normal there, of variance 2/fan_out.
func TestInitialOfTorchvision(t *testing.T) {
	for _, arch := range []string{"resnet18_224x224", "resnet50"} {
		g, err := models.New(models.Spec{Arch: arch, Width: 16, Classes: 10, Head: models.HeadLinear}, 0)
		if err != nil {
			t.Fatal(err)
		}
		state := initial(g, sigma, 1)
		for _, name := range []string{"layer4.1.conv2.weight", "layer2.0.downsample.0.weight"} {
			values, err := state[name].Float32s()
			if err != nil {
				t.Fatal(err)
			}
			shape := state[name].Shape
			want := math.Sqrt(2 / float64(shape[0]*shape[2]*shape[3]))
			squares, beyond := 0.0, 0.0
			for _, v := range values {
				squares += float64(v) * float64(v)
				if math.Abs(float64(v)) > 2*want {
					beyond++
				}
			}
			n := float64(len(values))
			if std := math.Sqrt(squares / n); math.Abs(std-want) > 0.05*want {
				t.Errorf("%s: %s has the deviation %g, want %g", arch, name, std, want)
			}
			if share := beyond / n; math.Abs(share-0.0455) > 0.015 { // of a normal distribution; 0 of a uniform one
				t.Errorf("%s: %.4f of %s is beyond two deviations, want 0.0455", arch, share, name)
			}
		}
	}
}

func TestInitial(t *testing.T) {
	g, err := models.New(models.Spec{Arch: "resnet18_32x32", Width: 8, Classes: 10, Head: models.HeadASCOOD}, 0)
	if err != nil {
		t.Fatal(err)
	}
	state := initial(g, sigma, 1)
	if err := g.Check(state.Shapes()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		low, top float64 // bounds of the values
		std      float64
	}{
		{"backbone.layer4.0.conv2.weight", -1 / math.Sqrt(576), 1 / math.Sqrt(576), 1 / math.Sqrt(3*576)},
		{"backbone.fc.weight", -1 / math.Sqrt(64), 1 / math.Sqrt(64), 1 / math.Sqrt(3*64)},
		{"backbone.fc.bias", -1 / math.Sqrt(64), 1 / math.Sqrt(64), 1 / math.Sqrt(3*64)},
		{"backbone.bn1.weight", 1, 1, 0},
		{"backbone.bn1.bias", 0, 0, 0},
		{"backbone.bn1.running_mean", 0, 0, 0},
		{"backbone.bn1.running_var", 1, 1, 0},
		{"sigma", 0.5, 0.5, 0},
	} {
		values, err := state[test.name].Float32s()
		if err != nil {
			t.Fatal(err)
		}
		low, top := float64(slices.Min(values)), float64(slices.Max(values))
		if low < test.low-1e-7 || top > test.top+1e-7 {
			t.Errorf("%s: values in [%g, %g], want [%g, %g]", test.name, low, top, test.low, test.top)
		}
		var sum float64
		for _, v := range values {
			sum += math.Pow(float64(v)-(test.low+test.top)/2, 2)
		}
		if std := math.Sqrt(sum / float64(len(values))); math.Abs(std-test.std) > 0.35*test.std {
			t.Errorf("%s: spread %g, want %g", test.name, std, test.std)
		}
	}
	if !equalStates(state, initial(g, sigma, 1)) || equalStates(state, initial(g, sigma, 2)) {
		t.Error("the seed does not decide the weights")
	}
}
