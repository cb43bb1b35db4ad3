package train

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
)

// published is three steps of a method's published implementation
// (testdata/README.md).
type published struct {
	reference
	common checkpoint.StateDict
}

func readPublished(t *testing.T, method string) published {
	t.Helper()
	read := func(name string) checkpoint.StateDict {
		c, err := checkpoint.Load(filepath.Join("testdata", "methods", name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		return c.Model
	}
	own := read(method)
	return published{reference{own, own}, read("common")}
}

// hyper returns a hyperparameter.
func (p published) hyper(t *testing.T, name string) float64 {
	t.Helper()
	return p.wanted(t, "hyper."+name)[0]
}

// rows takes those rows of a pool of images or labels that a step has.
func (p published) rows(t *testing.T, s *gotorch.Scope, pool, index string) gotorch.Tensor {
	t.Helper()
	at := p.integers(t, s, index)
	if pool == "pool.label" {
		labels := reference{given: p.common}.integers(t, s, pool)
		return labels.IndexSelect(0, at)
	}
	return uploadGiven(t, s, p.common, pool, gotorch.Float64).IndexSelect(0, at)
}

// start is the state of network and method before the first step.
func (p published) start(net *models.Network) (model, own checkpoint.StateDict) {
	model, own = checkpoint.StateDict{}, checkpoint.StateDict{}
	for _, param := range net.Params {
		for _, from := range []struct {
			state checkpoint.StateDict
			name  string
		}{{p.given, param.Name}, {p.common, plainName(param.Name)}} {
			if t := from.state["init."+from.name]; t != nil && model[param.Name] == nil {
				model[param.Name] = t
			}
		}
	}
	for name, t := range p.init() {
		own[ownPrefix+name] = t
	}
	if t := p.given[memoryFeatures+".init"]; t != nil {
		own[ownPrefix+memoryFeatures] = t
		count := p.given[memoryCount+".init"]
		if count == nil { // it is full
			count = checkpoint.FromInt64s(slices.Repeat([]int64{int64(t.Shape[1])}, t.Shape[0]), t.Shape[0])
		}
		own[ownPrefix+memoryCount] = floats(count)
	}
	return model, own
}

// TestPublishedMethods makes three steps of each method as its published implementation
// does, from the same weights, batches and draws, in float64, in which rounding decides
// nothing: the reference, in float32, was chosen so.
func TestPublishedMethods(t *testing.T) {
	for _, test := range []struct {
		name   string
		method string   // "" is name
		set    []string // hyperparameters by those of the reference
		more   []string // others
		final  float64  // tolerance after the last step
		change func(c *Config)
		loss   func(t *testing.T, p published, l *learner, s *Step, k int) Loss // nil is that of the method
		start  func(t *testing.T, p published, l *learner)
	}{
		{name: "logitnorm", set: []string{"tau"}},
		{name: "t2fnorm", set: []string{"tau"}},
		{name: "oe", set: []string{"lambda"}},
		{name: "rotpred", final: 5e-4},
		{name: "godin"},
		{name: "mixoe", set: []string{"alpha", "lambda"}, loss: func(t *testing.T, p published, l *learner, s *Step, k int) Loss {
			b, err := p.given[fmt.Sprintf("batch%d.box", k)].Int64s()
			if err != nil {
				t.Fatal(err)
			}
			return l.method.(*mixOE).loss(s, box{int(b[0]), int(b[1]), int(b[2]), int(b[3])})
		}},
		{name: "conf_branch", set: []string{"lambda", "budget"}, loss: func(t *testing.T, p published, l *learner, s *Step, k int) Loss {
			mask := p.tensor(t, s.Scope, fmt.Sprintf("batch%d.mask", k), gotorch.Float64)
			return l.method.(*confBranch).loss(s, mask.GtScalar(0.5))
		}},
		{name: "vos", set: vosNumbers, more: []string{"gradient=false"}, loss: vosLoss},
		{name: "vos_paper", method: "vos", set: vosNumbers, loss: vosLoss},
		{name: "cider", set: []string{"temp", "proto_m", "w"}, more: []string{"first_epoch=0"}, final: 5e-4, start: meanPrototypes},
		{name: "npos", set: []string{"temp", "proto_m", "w_comp", "w_disp", "loss_weight", "start_epoch_knn", "sample_number", "k", "select", "pick_nums", "sample_from", "cov_mat", "id_points_num"},
			more: []string{"first_epoch=0"}, loss: nposLoss, start: meanPrototypes},
		{name: "ascood_unit", method: MethodASCOOD, change: func(c *Config) { c.HeadFeature = FeatureUnit }},
		{name: "ascood_energy", method: MethodASCOOD, change: func(c *Config) { c.OODLoss = LossEnergy }},
		{name: "ascood_minus", method: MethodASCOOD},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := readPublished(t, test.name)
			c := Default(OODGradient)
			c.Arch, c.Width, c.Method, c.Epochs = "resnet18_32x32", 8, cmp.Or(test.method, test.name), int(p.hyper(t, "epochs"))
			c.LR, c.WeightDecay, c.Momentum = p.hyper(t, "lr"), p.hyper(t, "weight_decay"), p.hyper(t, "momentum")
			if test.method == MethodASCOOD {
				for name, field := range map[string]*float64{"sigma": &c.Sigma, "p_inv": &c.PInv, "w": &c.W, "alpha_min": &c.AlphaMin, "alpha_max": &c.AlphaMax, "fc_lr_factor": &c.FCLRFactor} {
					*field = p.hyper(t, name)
				}
			}
			if test.change != nil {
				test.change(&c)
			}
			var set []string
			for _, name := range test.set {
				set = append(set, fmt.Sprintf("%s=%v", name, p.hyper(t, hyperName(name))))
			}
			if err := c.Assign(append(set, test.more...)); err != nil {
				t.Fatal(err)
			}
			if m, ok := must(t, c).(checker); ok {
				c.Preprocess.ImageSize, c.BatchSize = referenceSize, 8
				if err := m.check(c); err != nil {
					t.Fatal(err)
				}
			}
			p.replay(t, c, max(test.final, 1e-5), test.loss, test.start)
		})
	}
}

// floats are integers as the trainer keeps them.
func floats(t *checkpoint.Tensor) *checkpoint.Tensor {
	integers, err := t.Int64s()
	if err != nil {
		return t
	}
	values := make([]float32, len(integers))
	for i, v := range integers {
		values[i] = float32(v)
	}
	return checkpoint.FromFloat32s(values, t.Shape...)
}

var vosNumbers = []string{"loss_weight", "sample_number", "sample_from", "select", "start_epoch"}

// hyperName is a hyperparameter's name in the reference.
func hyperName(ours string) string {
	for _, name := range []string{"K", "ID_points_num", "start_epoch_KNN"} {
		if strings.EqualFold(name, ours) {
			return name
		}
	}
	return ours
}

// meanPrototypes has the method look at the pool, as it does at validation images.
func meanPrototypes(t *testing.T, p published, l *learner) {
	t.Helper()
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	pool := uploadGiven(t, s, p.common, "pool.data", gotorch.Float64)
	labels := reference{given: p.common}.integers(t, s, "pool.label")
	step := &Step{Scope: s, learner: l}
	l.method.(beginner).begin(step, maps.All(map[gotorch.Tensor]gotorch.Tensor{pool: labels}))
	p.closeTo(t, "prototypes.init", gotorch.ToSlice[float64](step.Buffer(models.Prototypes)), 1e-5)
}

// nposLoss makes the published draws.
func nposLoss(t *testing.T, p published, l *learner, s *Step, k int) Loss {
	batch := fmt.Sprintf("batch%d.", k)
	picks, err := p.given[batch+"pick"].Int64s()
	if err != nil {
		t.Fatal(err)
	}
	m := l.method.(*npos)
	loss := m.loss(s, func(in *gotorch.Scope, _ int) gotorch.Tensor {
		return p.tensor(t, in, batch+"normal", gotorch.Float64)
	}, func(class int) []int64 { return picks[class*m.PickNums:][:m.PickNums] })
	p.closeTo(t, batch+"prototypes", gotorch.ToSlice[float64](s.Buffer(models.Prototypes)), 1e-4)
	return loss
}

// vosLoss makes the published draws.
func vosLoss(t *testing.T, p published, l *learner, s *Step, k int) Loss {
	batch, calls := fmt.Sprintf("batch%d.", k), 0
	normal := func(in *gotorch.Scope, class int, _ ...int) gotorch.Tensor {
		return p.tensor(t, in, batch+"normal", gotorch.Float64).Select(0, class)
	}
	return l.method.(*virtualOutliers).loss(s, normal, func() gotorch.Tensor {
		calls++
		return p.tensor(t, s.Scope, batch+[]string{"weight_id", "weight_ood"}[calls-1], gotorch.Float64)
	})
}

func must(t *testing.T, c Config) Method {
	t.Helper()
	m, err := c.method()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// replay makes the steps and compares them.
func (p published) replay(t *testing.T, c Config, final float64, loss func(t *testing.T, p published, l *learner, s *Step, k int) Loss, start func(t *testing.T, p published, l *learner)) {
	t.Helper()
	scope := gotorch.NewScope()
	defer scope.Close()
	g, err := models.New(c.spec(10), referenceSize)
	if err != nil {
		t.Fatal(err)
	}
	model, own := p.start(g)
	for _, param := range g.Params { // the reference has these elsewhere
		if model[param.Name] == nil && (param.Name == models.Tau || param.Name == models.Prototypes) {
			model[param.Name] = initial(g, c.scales(), 0)[param.Name]
		}
	}
	net, err := newNetwork(scope, g, model, placement{device: gotorch.CPU, layout: channelsLast, dtype: gotorch.Float64})
	if err != nil {
		t.Fatal(err)
	}
	stepsPerEpoch := 3
	if p.given["hyper.steps_per_epoch"] != nil {
		stepsPerEpoch = int(p.hyper(t, "steps_per_epoch"))
	}
	l, err := newLearner(c, net, referenceSize, c.Epochs*stepsPerEpoch)
	if err != nil {
		t.Fatal(err)
	}
	given := checkpoint.StateDict{}
	for name := range l.own {
		if t := own[ownPrefix+name]; t != nil {
			given[ownPrefix+name] = t
		}
	}
	if len(given) == len(l.own) {
		if err := (&saved{training: given}).restore(l); err != nil {
			t.Fatal(err)
		}
	}
	if start != nil {
		start(t, p, l)
	}
	average := 0.0
	for k := range referenceSteps {
		average = smooth(average, p.step(t, l, k, loss))
	}
	if p.want["loss_ema"] != nil {
		if want := p.wanted(t, "loss_ema")[0]; !(math.Abs(average-want) <= 1e-6*want) {
			t.Errorf("average loss %.9g, want %.9g", average, want)
		}
	}
	p.compareState(t, l, final)
	if path := p.want["lambda"]; path != nil { // ConfBranch's, before and after each step
		if got, want := l.own[price].Item(), p.wanted(t, "lambda")[referenceSteps]; !(math.Abs(got-want) <= 1e-7) {
			t.Errorf("lambda is %.9g at last, want %.9g", got, want)
		}
	}
	s := gotorch.NewScope(gotorch.NoGrad)
	defer s.Close()
	z := net.forward(uploadGiven(t, s, p.common, "test.data", gotorch.Float64), inference)
	if p.want["test.logits"] != nil {
		p.closeTo(t, "test.logits", gotorch.ToSlice[float64](z), max(final, 2e-5))
	}
	if p.want["test.score"] != nil {
		if p.want["bank.feature"] == nil {
			p.compareScore(t, l)
		} else {
			p.compareNeighbours(t, l)
		}
	}
	if err := scope.Err(); err != nil {
		t.Fatal(err)
	}
}

// step makes step k and returns its loss.
func (p published) step(t *testing.T, l *learner, k int, loss func(t *testing.T, p published, l *learner, s *Step, k int) Loss) float64 {
	t.Helper()
	scope := gotorch.NewScope()
	defer scope.Close()
	batch := fmt.Sprintf("batch%d.", k)
	x, y := p.rows(t, scope, "pool.data", batch+"index"), p.rows(t, scope, "pool.label", batch+"index")
	s := l.at(scope, x, y, when{epoch: int(p.hyper(t, "epoch")), step: k})
	if p.given[batch+"outlier_index"] != nil {
		s.Others = p.rows(t, scope, "pool.outlier", batch+"outlier_index")
	}
	if _, ok := l.method.(viewer); ok {
		s.Views = []gotorch.Tensor{p.rows(t, scope, "pool.view2", batch+"index")}
	}
	var made Loss
	if loss != nil {
		made = loss(t, p, l, s, k)
	} else {
		made = l.method.Loss(s)
	}
	total := made.total().Item()
	if want := p.wanted(t, "loss")[k]; !(math.Abs(total-want) <= 1e-6*math.Abs(want)) {
		t.Errorf("loss of step %d: %.9g, want %.9g", k, total, want)
	}
	if k == 0 {
		kept := l.grads()
		kept.RetainGraph = true
		for i, grad := range gotorch.Grad([]gotorch.Tensor{made.total()}, l.sgd.Params(), kept) {
			if grad == (gotorch.Tensor{}) {
				continue
			}
			name := "grad0." + strings.TrimPrefix(l.params[i].name, ownPrefix)
			if p.want[name] != nil {
				p.closeTo(t, name, gotorch.ToSlice[float64](grad.Contiguous()), 1e-5)
			}
		}
	}
	if _, err := l.update(s, made); err != nil {
		t.Fatal(err)
	}
	lrs := p.wanted(t, "lr_per_step")
	for i, group := range l.sgd.Groups {
		groups := len(lrs) / referenceSteps
		if i -= len(l.sgd.Groups) - groups; len(group.Params) == 0 { // ours may be of more groups, of which the first are alike
			continue
		}
		if want := lrs[k*groups+max(i, 0)]; math.Abs(group.LR-want) > 1e-7*want { // it was made of numbers in float32
			t.Errorf("step %d: group %d learns at %v, want %v", k, i, group.LR, want)
		}
	}
	return total
}

// compareState compares all weights and statistics with those after the last step.
func (p published) compareState(t *testing.T, l *learner, tolerance float64) {
	t.Helper()
	all := maps.Clone(l.net.state)
	maps.Copy(all, l.own)
	compared := 0
	for name, tensor := range all {
		if p.want["final."+name] == nil || name == models.Prototypes {
			continue
		}
		compared++
		p.closeTo(t, "final."+name, gotorch.ToSlice[float64](tensor.Detach().Contiguous()), tolerance)
	}
	if l.net.state[models.Prototypes] != (gotorch.Tensor{}) {
		p.closeTo(t, "batch2.prototypes", gotorch.ToSlice[float64](l.net.state[models.Prototypes].Detach()), tolerance)
		compared++
	}
	if compared < len(l.net.state)-4 { // the reference leaves out three tensors, and perhaps a scalar of the head
		t.Errorf("%d of %d tensors compared", compared, len(l.net.state))
	}
}

// closeTo compares with an expected tensor, relative to its largest magnitude. A
// gradient that is 0 but for rounding is compared absolutely.
func (p published) closeTo(t *testing.T, name string, got []float64, tolerance float64) {
	t.Helper()
	if strings.HasSuffix(name, "g.0.bias") { // normalised away
		if want := p.wanted(t, name)[0]; !(math.Abs(got[0]-want) <= 1e-6) {
			t.Errorf("%s is %g, want %g", name, got[0], want)
		}
		return
	}
	if d := p.off(t, name, got); !(d.worst <= tolerance) {
		t.Errorf("%s is off by %.2g of its largest magnitude, want at most %g", name, d.worst, tolerance)
	}
}
