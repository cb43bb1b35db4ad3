package artifact

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// sound is an artifact without a fault: images of 4x4 pixels, ten classes. Its
// graph has the right values of the right shapes and computes nothing of use.
func sound(t *testing.T) (*onnx.ModelProto, *Metadata) {
	t.Helper()
	b := onnx.NewBuilder("sound")
	pixels := b.Input(Pixels, "", onnx.TensorProto_UINT8, "N", 4, 4, 3)
	b.Weights(Temperature, []float32{1000})
	b.Weights(Noise, []float32{0.0014})
	image := b.Op("Transpose", []string{b.Op("Cast", []string{pixels}, onnx.Int("to", 1))}, onnx.Ints("perm", 0, 3, 1, 2))
	feature := b.Rename(b.Op("Flatten", []string{image}), Feature)
	logits := b.Rename(b.Op("Gemm", []string{feature, b.Weights("fc.weight", make([]float32, 480), 10, 48)}, onnx.Int("transB", 1)), Logits)
	prediction := b.Rename(b.Op("ArgMax", []string{logits}, onnx.Int("axis", 1), onnx.Int("keepdims", 0)), Prediction)
	highest := func() string {
		return b.Op("ReduceMax", []string{logits}, onnx.Ints("axes", 1), onnx.Int("keepdims", 0))
	}
	b.Output(logits, "", onnx.TensorProto_FLOAT, "N", 10)
	b.Output(feature, "", onnx.TensorProto_FLOAT, "N", 48)
	b.Output(prediction, "", onnx.TensorProto_INT64, "N")
	b.Output(b.Rename(b.Op("Neg", []string{image}), Gradient), "", onnx.TensorProto_FLOAT, "N", 3, 4, 4)
	b.Output(b.Rename(b.Op("Identity", []string{prediction}), Index), "", onnx.TensorProto_INT64, "N")
	b.Output(b.Rename(highest(), ODIN), "", onnx.TensorProto_FLOAT, "N")
	b.Output(b.Rename(highest(), IODIN), "", onnx.TensorProto_FLOAT, "N")
	m, err := b.Model("test", "1")
	if err != nil {
		t.Fatal(err)
	}
	score := Score{Name: ScoreIODIN, Temperature: 1000, Noise: 0.0014}
	return m, &Metadata{
		Name: "sound", Classes: names(10), Score: score,
		Preprocess:  preprocess.Config{PreSize: 5, ImageSize: 4, Std: [3]float64{1, 1, 1}},
		Calibration: &Calibration{Samples: 2, TPR: .5, Threshold: 0.1, Quantiles: []float64{0.1, 0.1000000001}, Score: score},
	}
}

// names are the names of n classes.
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("class ", i)
	}
	return list
}

// describeAs replaces the description of an input or output.
func describeAs(list []*onnx.ValueInfoProto, name string, t onnx.TensorProto_DataType, dims ...any) {
	find(list, name).Type = onnx.Value(name, t, dims...).Type
}

func without(list []*onnx.ValueInfoProto, name string) []*onnx.ValueInfoProto {
	var rest []*onnx.ValueInfoProto
	for _, v := range list {
		if v.Name != name {
			rest = append(rest, v)
		}
	}
	return rest
}

// hideLayer makes the last layer one that Classifier does not know.
func hideLayer(m *onnx.ModelProto) {
	layer := onnx.Makers(m.Graph)[Logits]
	layer.Output[0] = "z"
	m.Graph.Node = append(m.Graph.Node, &onnx.NodeProto{OpType: "Relu", Input: []string{"z"}, Output: []string{Logits}})
}

func TestCheckSound(t *testing.T) {
	for name, change := range map[string]func(m *onnx.ModelProto, d *Metadata){
		"as it is":          func(*onnx.ModelProto, *Metadata) {},
		"uncalibrated":      func(_ *onnx.ModelProto, d *Metadata) { d.Calibration = nil },
		"other calibration": func(_ *onnx.ModelProto, d *Metadata) { d.Calibration.Score = Score{Name: ScoreMSP, Temperature: 1} },
		"no larger crop":    func(_ *onnx.ModelProto, d *Metadata) { d.Preprocess.PreSize = 4 },
		"open sizes": func(m *onnx.ModelProto, _ *Metadata) {
			describeAs(m.Graph.Input, Pixels, onnx.TensorProto_UINT8, "batch", "H", "W", 3)
			describeAs(m.Graph.Output, Logits, onnx.TensorProto_FLOAT, "N", "C")
		},
		"another last layer": func(m *onnx.ModelProto, _ *Metadata) { hideLayer(m) },
		"a constant as an input with a default": func(m *onnx.ModelProto, _ *Metadata) {
			m.Graph.Input = append(m.Graph.Input, onnx.Value(Noise, onnx.TensorProto_FLOAT))
		},
	} {
		m, d := sound(t)
		change(m, d)
		if err := Check(m, d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckFaults(t *testing.T) {
	const float, ints = onnx.TensorProto_FLOAT, onnx.TensorProto_INT64
	graph := func(change func(g *onnx.GraphProto)) func(*onnx.ModelProto, *Metadata) {
		return func(m *onnx.ModelProto, _ *Metadata) { change(m.Graph) }
	}
	meta := func(change func(d *Metadata)) func(*onnx.ModelProto, *Metadata) {
		return func(_ *onnx.ModelProto, d *Metadata) { change(d) }
	}
	calibration := func(change func(c *Calibration)) func(*onnx.ModelProto, *Metadata) {
		return func(_ *onnx.ModelProto, d *Metadata) { change(d.Calibration) }
	}
	for want, damage := range map[string]func(m *onnx.ModelProto, d *Metadata){
		// Class names.
		"classes has 3 names, but the graph computes 10 logits":  meta(func(d *Metadata) { d.Classes = names(3) }),
		"classes has 12 names, but the graph computes 10 logits": meta(func(d *Metadata) { d.Classes = names(12) }),
		`target "gpu": want one of [cpu cuda]`:                   meta(func(d *Metadata) { d.Target = "gpu" }),
		"classes has no names":                                   meta(func(d *Metadata) { d.Classes = nil }),
		"classes has 11 names, but the graph computes 10": func(m *onnx.ModelProto, d *Metadata) {
			describeAs(m.Graph.Output, Logits, float, "N", "C") // the weight says how many
			d.Classes = names(11)
		},
		"classes has 9 names, but the graph computes 10": func(m *onnx.ModelProto, d *Metadata) {
			hideLayer(m) // the output's description says how many
			d.Classes = names(9)
		},
		`the output "logits" is FLOAT [N,3]; want FLOAT [N,10]`: func(m *onnx.ModelProto, d *Metadata) {
			describeAs(m.Graph.Output, Logits, float, "N", 3)
			d.Classes = names(3)
		},

		// Operators.
		`the file has operators of "ascood"; want those of ai.onnx alone`: func(m *onnx.ModelProto, d *Metadata) {
			m.OpsetImport = append(m.OpsetImport, &onnx.OperatorSetIdProto{Domain: "ascood", Version: 1})
		},
		`the file has operators of "com.microsoft"; want those of ai.onnx alone`: func(m *onnx.ModelProto, d *Metadata) {
			m.Functions = []*onnx.FunctionProto{{OpsetImport: []*onnx.OperatorSetIdProto{{Domain: "com.microsoft"}}}}
		},

		// Inputs.
		`the graph has no input "pixels"; want UINT8 [N,4,4,3]`: graph(func(g *onnx.GraphProto) { g.Input = nil }),
		`the graph has an input "mask"; want "pixels" alone`: graph(func(g *onnx.GraphProto) {
			g.Input = append(g.Input, onnx.Value("mask", float, "N"))
		}),
		`"pixels" is FLOAT [N,4,4,3]; want UINT8 [N,4,4,3]`: graph(func(g *onnx.GraphProto) { describeAs(g.Input, Pixels, float, "N", 4, 4, 3) }),
		`"pixels" is UINT8 [N,3,4,4]; want UINT8 [N,4,4,3]`: graph(func(g *onnx.GraphProto) { describeAs(g.Input, Pixels, onnx.TensorProto_UINT8, "N", 3, 4, 4) }),
		`"pixels" is UINT8 [2,4,4,3]; want UINT8 [N,4,4,3]`: graph(func(g *onnx.GraphProto) { describeAs(g.Input, Pixels, onnx.TensorProto_UINT8, 2, 4, 4, 3) }),
		`"pixels" is UINT8 [N,4,4,3]; want UINT8 [N,5,5,3]`: meta(func(d *Metadata) { d.Preprocess.ImageSize = 5 }),
		`"pixels" is UINT8 of unknown shape; want`:          graph(func(g *onnx.GraphProto) { find(g.Input, Pixels).Type.GetTensorType().Shape = nil }),
		`"pixels" is UNDEFINED of unknown shape; want`:      graph(func(g *onnx.GraphProto) { find(g.Input, Pixels).Type = nil }),

		// Outputs.
		`the graph has no output "logits"; want FLOAT [N,10]`:          graph(func(g *onnx.GraphProto) { g.Output = without(g.Output, Logits) }),
		`the graph has no output "prediction"; want INT64 [N]`:         graph(func(g *onnx.GraphProto) { g.Output = without(g.Output, Prediction) }),
		`the graph has no output "iodin"; want FLOAT [N]`:              graph(func(g *onnx.GraphProto) { g.Output = without(g.Output, IODIN) }),
		`the output "prediction" is FLOAT [N]; want INT64 [N]`:         graph(func(g *onnx.GraphProto) { describeAs(g.Output, Prediction, float, "N") }),
		`the output "iodin" is FLOAT [N,1]; want FLOAT [N]`:            graph(func(g *onnx.GraphProto) { describeAs(g.Output, IODIN, float, "N", 1) }),
		`the output "odin" is INT64 [N]; want FLOAT [N]`:               graph(func(g *onnx.GraphProto) { describeAs(g.Output, ODIN, ints, "N") }),
		`the output "feature" is FLOAT [N,47]; want FLOAT [N,48]`:      graph(func(g *onnx.GraphProto) { describeAs(g.Output, Feature, float, "N", 47) }),
		`the output "gradient" is FLOAT [N,3,4]; want FLOAT [N,3,4,4]`: graph(func(g *onnx.GraphProto) { describeAs(g.Output, Gradient, float, "N", 3, 4) }),
		`no node of the graph computes the output "gradient"`:          graph(func(g *onnx.GraphProto) { onnx.Makers(g)[Gradient].Output[0] = "gone" }),
		`the output "logits" is FLOAT [N,10,1]; want FLOAT [N,10]`:     graph(func(g *onnx.GraphProto) { describeAs(g.Output, Logits, float, "N", 10, 1) }),
		`the output "logits" is FLOAT16 [N,10]; want FLOAT [N,10]`:     graph(func(g *onnx.GraphProto) { describeAs(g.Output, Logits, onnx.TensorProto_FLOAT16, "N", 10) }),
		`the output "gradient" is FLOAT [N,3,?,4]; want FLOAT [N,3,5,5]`: func(m *onnx.ModelProto, d *Metadata) {
			d.Preprocess.ImageSize = 5
			describeAs(m.Graph.Input, Pixels, onnx.TensorProto_UINT8, "N", "H", "W", 3)
			describeAs(m.Graph.Output, Gradient, float, "N", 3, "", 4)
		},

		// Constants.
		`the graph has no constant "temperature"; want FLOAT []`: graph(func(g *onnx.GraphProto) { g.Initializer = g.Initializer[1:] }),
		`the graph has no constant "noise"; want FLOAT []`:       graph(func(g *onnx.GraphProto) { onnx.Constants(g)[Noise].Name = "n" }),
		`"noise" is FLOAT [1]; want FLOAT []`:                    graph(func(g *onnx.GraphProto) { onnx.Constants(g)[Noise].Dims = []int64{1} }),
		`"noise" holds DOUBLE, want FLOAT`:                       graph(func(g *onnx.GraphProto) { onnx.Constants(g)[Noise].DataType = int32(onnx.TensorProto_DOUBLE) }),
		`"temperature" has the shape [], but 0 values`:           graph(func(g *onnx.GraphProto) { onnx.Constants(g)[Temperature].RawData = nil }),
		"temperature 0: must be":                                 graph(func(g *onnx.GraphProto) { onnx.Constants(g)[Temperature].RawData = make([]byte, 4) }),

		// Metadata by itself.
		"preprocess: pre_size 0": meta(func(d *Metadata) { d.Preprocess.PreSize = 0 }),
		"preprocess: image_size": meta(func(d *Metadata) { d.Preprocess.ImageSize = -4 }),
		"preprocess: std of red": meta(func(d *Metadata) { d.Preprocess.Std[0] = 0 }),
		"resized to a pre_size of 3, less than the crop; want at least the image_size, 4": meta(func(d *Metadata) { d.Preprocess.PreSize = 3 }),
		`score: unknown score "energy"`:                               meta(func(d *Metadata) { d.Score.Name = "energy" }),
		"score: noise -1":                                             meta(func(d *Metadata) { d.Score.Noise = -1 }),
		"calibration: samples is 0":                                   calibration(func(c *Calibration) { c.Samples = 0 }),
		"calibration: tpr is 1;":                                      calibration(func(c *Calibration) { c.TPR = 1 }),
		"calibration: threshold is NaN":                               calibration(func(c *Calibration) { c.Threshold = math.NaN() }),
		"calibration: threshold is +Inf":                              calibration(func(c *Calibration) { c.Threshold = math.Inf(1) }),
		"calibration: quantiles has 0 numbers for 2":                  calibration(func(c *Calibration) { c.Quantiles = nil }),
		"calibration: quantiles has 3 numbers for 2":                  calibration(func(c *Calibration) { c.Quantiles = make([]float64, 3) }),
		"calibration: quantiles has a number that is not finite":      calibration(func(c *Calibration) { c.Quantiles[1] = math.Inf(1) }),
		"calibration: quantiles are not in ascending order":           calibration(func(c *Calibration) { c.Quantiles[0] = 0.2 }),
		"calibration: classes has a number of images outside 0 to 2":  calibration(func(c *Calibration) { c.Classes = []int{3, -1} }),
		"calibration: classes has 3 numbers for 10":                   calibration(func(c *Calibration) { c.Classes = []int{1, 1, 0} }),
		"calibration: score: temperature 0: must be a number greater": calibration(func(c *Calibration) { c.Score.Temperature = 0 }),
	} {
		t.Run(want, func(t *testing.T) {
			m, d := sound(t)
			damage(m, d)
			err := Check(m, d)
			if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one that says %s", err, want)
			}
		})
	}
}

// TestFaultsAreFound: what Check finds is not loaded and not saved either.
func TestFaultsAreFound(t *testing.T) {
	m, d := sound(t)
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := Save(path, m, d); err != nil {
		t.Fatal(err)
	}
	d.Classes = names(3)
	const want = "m.onnx: metadata: classes has 3 names"
	if err := Save(path, m, d); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) {
		t.Errorf("saving: error %v, want one that says %q", err, want)
	}
	if _, kept, err := Load(path); err != nil || len(kept.Classes) != 10 {
		t.Errorf("after that the file has %+v, error %v", kept, err)
	}
	if err := d.Write(m); err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, data)
	if _, _, err := Load(path); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) {
		t.Errorf("loading: error %v, want one that says %q", err, want)
	}
}
