package importer

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// sound is a small network without faults, of opset 17.
func sound(t *testing.T) *onnx.ModelProto {
	f := newForeign()
	end(f, small(f, "N"), "N")
	return f.file(t, 17)
}

// find returns the first node of an operator.
func find(m *onnx.ModelProto, op string) *onnx.NodeProto {
	return m.Graph.Node[slices.IndexFunc(m.Graph.Node, func(n *onnx.NodeProto) bool { return n.OpType == op })]
}

// TestWrongFiles: what is wrong is named, with what would be right.
func TestWrongFiles(t *testing.T) {
	for name, c := range map[string]struct {
		change func(m *onnx.ModelProto, opt *Options)
		want   string
	}{
		"old opset": {func(m *onnx.ModelProto, _ *Options) { m.OpsetImport[0].Version = 7 }, "of opset 7; supported are opset 8 to 24 of ai.onnx: export it again"},
		"new opset": {func(m *onnx.ModelProto, _ *Options) { m.OpsetImport[0].Version = 25 }, "of opset 25; supported are opset 8 to 24"},
		"no opset":  {func(m *onnx.ModelProto, _ *Options) { m.OpsetImport = nil }, "does not say which opset"},
		"format":    {func(m *onnx.ModelProto, _ *Options) { m.IrVersion = 99 }, "format version 99; supported are 3 to"},
		"two inputs": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Input = append(m.Graph.Input, onnx.Value("tokens", onnx.TensorProto_INT64, "N", 7))
			m.Graph.Node = append(m.Graph.Node, &onnx.NodeProto{OpType: "Identity", Input: []string{"tokens"}, Output: []string{"words"}})
		}, "2 inputs (x, tokens); supported are networks that take images alone"},
		"text": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_INT64, "N", 128)
		}, `the input "x" is INT64 [N,128]; supported are images`},
		"layout": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_FLOAT, "N", "C", "H", "W")
		}, "input_layout must say nchw or nhwc"},
		"both layouts": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_FLOAT, "N", 3, 3, 3)
		}, "does not tell where its channels are"},
		"other layout":  {func(_ *onnx.ModelProto, opt *Options) { opt.Layout = NHWC }, `input_layout is nhwc, but the input "x" is FLOAT [N,3,8,8]`},
		"no layout":     {func(_ *onnx.ModelProto, opt *Options) { opt.Layout = "hwc" }, `input_layout "hwc": must be nchw or nhwc`},
		"no channels":   {func(_ *onnx.ModelProto, opt *Options) { opt.Channels = "cmyk" }, `channels "cmyk": must be rgb, bgr or gray`},
		"gray of three": {func(_ *onnx.ModelProto, opt *Options) { opt.Channels = Gray }, "which is no image of 1 channels"},
		"three of gray": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_FLOAT, "N", 1, 8, 8)
		}, "of one channel: channels gray has images made gray"},
		"uneven gray": {func(_ *onnx.ModelProto, opt *Options) { opt.Channels, opt.Mean[0] = Gray, .1 }, "mean and std must be the same for all channels"},
		"size":        {func(_ *onnx.ModelProto, opt *Options) { opt.Size = 224 }, "image_size 224: the network takes images of 8x8 pixels"},
		"huge batch": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_FLOAT, 1<<40, 3, 8, 8)
		}, "takes 1099511627776 images at a time; supported are up to 64"},
		"bytes": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph, m.OpsetImport = bytesInput(t).Graph, bytesInput(t).OpsetImport
		},
			`the input "x" is UINT8, which holds pixels as they are, from 0 to 255: mean must be 0,0,0, and std .00392156862745098 thrice`},
		"not square": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_FLOAT, "N", 3, 8, 9)
		}, "images of 9x8 pixels; supported are square ones"},
		"several outputs": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Output = append(m.Graph.Output, onnx.Value("Relu", onnx.TensorProto_FLOAT, "N", 4, 8, 8))
		}, "logits must say which of the 2 outputs is the logits: y: FLOAT [N,5]; Relu: FLOAT [N,4,8,8]"},
		"unknown output": {func(_ *onnx.ModelProto, opt *Options) { opt.Logits = "z" }, `logits: there is no output or value "z"; the outputs are y: FLOAT [N,5]`},
		"maps": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Output[0] = onnx.Value("Relu", onnx.TensorProto_FLOAT, "N", 4, 8, 8)
		}, "want logits, [N,C]: supported are classifiers"},
		"NaN": {func(m *onnx.ModelProto, _ *Options) {
			for _, w := range m.Graph.Initializer {
				if w.Name == "fc.bias" {
					copy(w.RawData, []byte{0, 0, 0xc0, 0x7f})
				}
			}
		}, `"fc.bias" holds NaN`},
		"overflow": {func(m *onnx.ModelProto, _ *Options) {
			*m.Graph.Initializer[1] = *onnx.NewFloats("fc.weight", slices.Repeat([]float32{math.MaxFloat32}, 20), 5, 4)
		}, "the training has diverged, or it takes images of another scale"},
		"few values": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Initializer[0].RawData = m.Graph.Initializer[0].RawData[:8]
		}, `"conv.weight" has the shape [4 3 3 3], but 2 values`},
		"unknown value": {func(m *onnx.ModelProto, _ *Options) { find(m, "Relu").Input[0] = "nothing" }, `Relu "Relu" takes "nothing", which nothing gives`},
		"circle":        {func(m *onnx.ModelProto, _ *Options) { find(m, "Conv").Input[0] = "Relu" }, "the graph goes in circles"},
		"two makers":    {func(m *onnx.ModelProto, _ *Options) { find(m, "Flatten").Output[0] = "Relu" }, `"Relu", which something else gives already`},
		"no dependence": {func(m *onnx.ModelProto, _ *Options) {
			find(m, "Gemm").Input[0] = "k"
			m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewFloats("k", make([]float32, 4), 1, 4))
		}, `the output "y" does not depend on the image`},
		"wrong operand": {func(m *onnx.ModelProto, _ *Options) { find(m, "Gemm").Input[1] = "conv.weight" }, "[1,4] and [4,3,3,3] cannot be multiplied"},
		"sigmoid":       {func(m *onnx.ModelProto, _ *Options) { after(m, "Sigmoid") }, "ends in Sigmoid, which gives each class a probability of its own; supported are networks of which one class is right for an image: if that is so here, logits \"y\" names the values before it"},
		"class alone": {func(m *onnx.ModelProto, _ *Options) { after(m, "ArgMax").Attribute = []onnx.Attr{onnx.Int("axis", 1)} },
			"ends in ArgMax, which tells the class alone: logits \"y\" names the values before it"},
		"wrong size": {func(m *onnx.ModelProto, opt *Options) { m.Graph, opt.Size = positions(t).Graph, 12 },
			"the network does not run on an image of 12x12 pixels: "},
		"one logit": {func(m *onnx.ModelProto, _ *Options) {
			*m.Graph.Initializer[1] = *onnx.NewFloats("fc.weight", make([]float32, 4), 1, 4)
			*m.Graph.Initializer[2] = *onnx.NewFloats("fc.bias", make([]float32, 1), 1)
		}, "is of one value; want a logit for each of two or more classes"},
		"dynamic size": {func(m *onnx.ModelProto, opt *Options) {
			m.Graph.Input[0] = onnx.Value("x", onnx.TensorProto_FLOAT, "N", 3, "H", 8)
			opt.Size = 16
		}, "image_size 16: the network takes images of 8x8 pixels, so image_size must be 8"},
		"detector": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Output = []*onnx.ValueInfoProto{
				onnx.Value("boxes", onnx.TensorProto_FLOAT, "M", 4), onnx.Value("labels", onnx.TensorProto_INT64, "M"), onnx.Value("scores", onnx.TensorProto_FLOAT, "M"),
			}
		}, "logits must say which of the 3 outputs is the logits: boxes: FLOAT [M,4]; labels: INT64 [M]; scores: FLOAT [M]. If none is [N,C], with a value for each class, it is no classifier"},
		"anchors": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Node = append(m.Graph.Node, &onnx.NodeProto{Name: "anchors", OpType: "Reshape", Input: []string{"Relu", "target"}, Output: []string{"anchors"}})
			m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewInts("target", []int64{-1, 64, 4}, 3))
			m.Graph.Output[0].Name = "anchors"
		}, "want logits, [N,C]: supported are classifiers"},
		"language": {func(m *onnx.ModelProto, _ *Options) {
			for i, name := range []string{"input_ids", "attention_mask", "token_type_ids"} {
				v := onnx.Value(name, onnx.TensorProto_INT64, "batch", "sequence")
				if i == 0 {
					m.Graph.Input = nil
				}
				m.Graph.Input = append(m.Graph.Input, v)
				m.Graph.Node = append(m.Graph.Node, &onnx.NodeProto{Name: name, OpType: "Identity", Input: []string{name}, Output: []string{name + "_"}})
			}
			find(m, "Conv").Input[0] = "input_ids"
		}, "the network has 3 inputs (input_ids, attention_mask, token_type_ids); supported are networks that take images alone"},
		"quantised": {func(m *onnx.ModelProto, _ *Options) {
			r := find(m, "Relu")
			r.OpType, r.Input = "QuantizeLinear", append(r.Input, "scale")
			m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewFloats("scale", []float32{.1}))
		}, "QuantizeLinear: quantised networks have no gradient; export the one in floating point"},
		"recurrent": {func(m *onnx.ModelProto, _ *Options) {
			r := find(m, "Relu")
			r.OpType, r.Output = "GRU", []string{"", "Relu"}
		}, "GRU: it has no gradient rule"},
		"constant": {func(m *onnx.ModelProto, _ *Options) {
			r := find(m, "Relu")
			r.OpType, r.Input = "CastLike", []string{"maps", r.Input[0]}
			m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewFloats("maps", make([]float32, 256), 1, 4, 8, 8))
		}, "do not depend on the image"},
		"text weights": {func(m *onnx.ModelProto, _ *Options) {
			m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewTensor("names", onnx.TensorProto_STRING, nil, 1))
			find(m, "Gemm").Input[2] = "names"
		}, `"names" holds STRING`},
		"training": {func(m *onnx.ModelProto, _ *Options) {
			r := find(m, "Relu")
			r.OpType, r.Input = "Dropout", append(r.Input, "", "on")
			m.Graph.Initializer = append(m.Graph.Initializer, onnx.NewTensor("on", onnx.TensorProto_BOOL, []byte{1}))
		}, "Dropout: it is in training mode; export the network in evaluation mode"},
		"random": {func(m *onnx.ModelProto, _ *Options) { find(m, "Relu").OpType = "RandomNormalLike" }, "drawn at random"},
		"function in itself": {func(m *onnx.ModelProto, _ *Options) {
			find(m, "Relu").Domain = "own"
			m.Functions = []*onnx.FunctionProto{{Name: "Relu", Domain: "own", Input: []string{"a"}, Output: []string{"b"},
				Node: []*onnx.NodeProto{{OpType: "Relu", Domain: "own", Input: []string{"a"}, Output: []string{"b"}}}}}
		}, "called by functions that lie more than 20 deep"},
	} {
		t.Run(name, func(t *testing.T) {
			m, opt := sound(t), normal(8)
			c.change(m, &opt)
			if _, err := Import(m, opt); err == nil || !strings.Contains(err.Error(), c.want) || ascood.CodeOf(err) == ascood.Internal {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

// after adds an operator at the end of a network.
func after(m *onnx.ModelProto, op string) *onnx.NodeProto {
	n := &onnx.NodeProto{Name: "end", OpType: op, Input: []string{"y"}, Output: []string{"end"}}
	m.Graph.Node = append(m.Graph.Node, n)
	m.Graph.Output[0].Name = "end"
	return n
}

// TestAllFaults: every operator that cannot be handled is named, with the number of its
// nodes and what to do.
func TestAllFaults(t *testing.T) {
	f := newForeign()
	x := small(f, "N")
	x = f.Op("Resize", []string{x, "", "", f.Int64s(1, 4, 4, 4)}, onnx.String("coordinate_transformation_mode", "tf_crop_and_resize"))
	x = f.Op("NonMaxSuppression", []string{f.Op("Det", []string{f.Op("Det", []string{x})})})
	x = f.Op("Loop", []string{x})
	x = f.Op("FusedConv", []string{f.Op("QLinearConv", []string{x})})
	end(f, x, "N")
	m := f.file(t, 17)
	find(m, "FusedConv").Domain = "com.microsoft"
	_, err := Import(m, normal(8))
	if ascood.CodeOf(err) != ascood.Unsupported {
		t.Fatalf("error %v, want one of code %s", err, ascood.Unsupported)
	}
	for _, want := range []string{
		`Det: it has no gradient rule (2 nodes, first "Det")`,
		`NonMaxSuppression: it has no gradient rule (node "NonMaxSuppression")`,
		`Resize: it cuts out a part; cut and resize before the network (node "Resize")`,
		`Loop: loops are not handled; export with a fixed number of steps`,
		`com.microsoft.FusedConv: operators of com.microsoft are not handled; export without that runtime's optimiser`,
		`QLinearConv: quantised networks have no gradient`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwants %s", err, want)
		}
	}
}

// TestFaultsBehindFaults: what comes after an operator that cannot be handled is looked at
// too, also where that changes the shape.
func TestFaultsBehindFaults(t *testing.T) {
	f := newForeign()
	x := f.Op("Resize", []string{small(f, "N"), "", "", f.Int64s(1, 4, 4, 4)}, onnx.String("coordinate_transformation_mode", "tf_crop_and_resize"))
	x = f.Op("Det", []string{x})
	x = f.Op("ReduceMean", []string{f.Op("Unsqueeze", []string{x, f.Int64s(2, 3)})}, onnx.Ints("axes", 9))
	end(f, x, "N")
	_, err := Import(f.file(t, 17), normal(8))
	if ascood.CodeOf(err) != ascood.Unsupported {
		t.Fatalf("error %v, want one of code %s", err, ascood.Unsupported)
	}
	for _, want := range []string{"Resize: it cuts out a part", "Det: it has no gradient rule", "ReduceMean: there is no axis 9"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwants %s", err, want)
		}
	}
}

// TestWrongAttention: attention as networks of text have it is refused.
func TestWrongAttention(t *testing.T) {
	for want, change := range map[string]func(n *onnx.NodeProto){
		"it is causal":                    func(n *onnx.NodeProto) { n.Attribute = append(n.Attribute, onnx.Int("is_causal", 1)) },
		"it has a softcap":                func(n *onnx.NodeProto) { n.Attribute = append(n.Attribute, onnx.Float("softcap", 3)) },
		"its mask is not of constant":     func(n *onnx.NodeProto) { n.Input[3] = n.Input[0] },
		"2 heads share the keys of 1":     func(n *onnx.NodeProto) { n.Attribute[1] = onnx.Int("kv_num_heads", 1) },
		"is [1 64 4] for q_num_heads 3":   func(n *onnx.NodeProto) { n.Attribute[0] = onnx.Int("q_num_heads", 3) },
		"goes on from keys and values of": func(n *onnx.NodeProto) { n.Input = append(n.Input, n.Input[1], n.Input[2]) },
	} {
		m := attentive(t)
		change(find(m, "Attention"))
		g, err := newGraph(m)
		if err != nil {
			t.Fatal(err)
		}
		in := feed{"x": onnx.NewFloats("x", sines(1, 8), 1, 3, 8, 8)}
		g.findWeights()
		if _, err := g.legalise(ort.Evaluate, in, "x", []int{1, 3, 8, 8}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// TestHostile: files that are made to take time or memory are refused soon.
func TestHostile(t *testing.T) {
	chain := func(n int) *onnx.ModelProto {
		m := sound(t)
		last := "Relu"
		for i := range n {
			name := fmt.Sprint("r", i)
			m.Graph.Node = append(m.Graph.Node, &onnx.NodeProto{OpType: "Relu", Input: []string{last}, Output: []string{name}})
			last = name
		}
		return m
	}
	bomb := sound(t) // each function calls the one below it ten times
	for level := range 12 {
		f := &onnx.FunctionProto{Name: fmt.Sprint("f", level), Domain: "own", Input: []string{"v0"}, Output: []string{"v10"}}
		for i := range 10 {
			n := &onnx.NodeProto{OpType: fmt.Sprint("f", level-1), Domain: "own", Input: []string{fmt.Sprint("v", i)}, Output: []string{fmt.Sprint("v", i+1)}}
			if level == 0 {
				n.OpType, n.Domain = "Relu", ""
			}
			f.Node = append(f.Node, n)
		}
		bomb.Functions = append(bomb.Functions, f)
	}
	find(bomb, "Relu").OpType, find(bomb, "Conv").Name = "f11", "c"
	find(bomb, "f11").Domain = "own"
	huge := sound(t)
	huge.Graph.Node[0].Attribute = append(huge.Graph.Node[0].Attribute, onnx.Ints("dilations", 1<<40, 1<<40))
	wide := newForeign()
	end(wide, wide.Op("Pad", []string{small(wide, "N"), wide.Int64s(0, 0, 0, 0, 0, 0, 0, 1<<24)}, onnx.String("mode", "edge")), "N")
	for name, c := range map[string]struct {
		file *onnx.ModelProto
		want string
	}{
		"wide borders":   {wide.file(t, 17), "pads of 0 and 16777216 are out of proportion"},
		"many nodes":     {chain(maxNodes + 1), "more than 100000 nodes"},
		"many calls":     {bomb, "more than 100000 nodes"},
		"huge dilations": {huge, ""},
	} {
		start := time.Now()
		if _, err := Import(c.file, normal(8)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: refused after %v", name, took)
		}
	}
}

// TestReadWrong: what is no ONNX file, or too large.
func TestReadWrong(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large.onnx")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxBytes+1); err != nil { // a hole: it takes no disk
		t.Fatal(err)
	}
	text := filepath.Join(folder, "text.onnx")
	if err := os.WriteFile(text, []byte("no network"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		large:                                 "2147483648 bytes; an ONNX file has at most 2147483647",
		text:                                  "not an ONNX file, or a truncated one (10 bytes)",
		folder:                                "not a file",
		filepath.Join(folder, "nothing.onnx"): "no such file",
	} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) || ascood.CodeOf(err) == ascood.Internal {
			t.Errorf("%s: error %v, want one that says %q", path, err, want)
		}
	}
}

// TestTruncated: a file that ends early is refused, wherever it ends.
func TestTruncated(t *testing.T) {
	whole, err := proto.Marshal(sound(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "part.onnx")
	for n := range len(whole) {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Read(path)
		if err == nil {
			_, err = Import(m, normal(8))
		}
		if err == nil || ascood.CodeOf(err) == ascood.Internal {
			t.Fatalf("%d of %d bytes: error %v", n, len(whole), err)
		}
	}
}

// FuzzImport: whatever a file holds, importing it ends in a network or an error.
func FuzzImport(f *testing.F) {
	t := &testing.T{}
	for _, m := range []*onnx.ModelProto{sound(t), keras(t), cntk(t), dynamo(t), branched(t), mapsOut(t), bytesInput(t), kerasAttention(t), sequences(t), nested(t), zipMap(t), twoWays(t), headless(t), ultralytics(t)} {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	// Without a runtime: what it would say is another program's.
	none := func(m *onnx.ModelProto, inputs ...map[string]*onnx.TensorProto) ([]map[string]*onnx.TensorProto, error) {
		return nil, fmt.Errorf("no runtime")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := onnx.Parse(data)
		if err != nil {
			return
		}
		opt := normal(8)
		opt.Run = none
		if net, err := Import(m, opt); err == nil {
			t.Errorf("a network that has not been run is proved: %v", net)
		}
		g, err := newGraph(m)
		if err != nil || len(g.inputs) == 0 {
			return
		}
		c, err := g.legalise(none, nil, g.inputs[0].Name, []int{1, 3, 8, 8}, nil)
		if err != nil || len(g.outputs) == 0 {
			return
		}
		opt.Feature, opt.Taps = "pooled", map[string]string{"layer4": "Relu"}
		net, out := &Network{}, output{name: g.outputs[0].Name}
		if c.head(net, &out) == nil && c.find(net, opt) == nil {
			c.batch(net, image{name: g.inputs[0].Name, size: 8, batch: 1})
		}
	})
}
