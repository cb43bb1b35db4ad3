package importer

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// tolerance is how far logits may be from the file's, as a part of the largest of the
// image: rounding in another order makes a hundredth of that.
const tolerance = 1e-4

// halfTolerance is that for files that compute with half precision, whose own rounding
// makes as much.
const halfTolerance = 2e-2

// prove compares the network with the file: each of several images alone by both, and
// all together by the network. A network that gives an image other logits beside
// others than alone is made one of single images. Any other difference is an error.
func (net *Network) prove(original *graph, in image, out output, opt Options) error {
	images := in.trials(opt)
	want, err := net.fileLogits(original, in, out, opt.Run, images)
	if err != nil {
		return err
	}
	limit := tolerance
	if original.half() {
		limit = halfTolerance
	}
	logits := func(batches ...[][]float32) ([][]float32, error) {
		var inputs []map[string]*onnx.TensorProto
		for _, batch := range batches {
			inputs = append(inputs, in.batchOf(join(batch), len(batch)))
		}
		results, err := opt.Run(net.Model, inputs...)
		if err != nil {
			return nil, err
		}
		var rows [][]float32
		for i, r := range results {
			values, err := r[net.Logits].Floats()
			if err != nil || len(values) != len(batches[i])*net.Classes {
				return nil, ascood.Errorf(ascood.Internal, "the network made %d logits of %d images", len(values), len(batches[i]))
			}
			for k := range batches[i] {
				rows = append(rows, values[k*net.Classes:(k+1)*net.Classes])
			}
		}
		return rows, nil
	}
	var singly [][][]float32
	for _, image := range images {
		singly = append(singly, [][]float32{image})
	}
	alone, err := logits(singly...)
	if err != nil {
		return ascood.Errorf(ascood.Internal, "the canonical network does not run: %w", err)
	}
	for i := range images {
		if off := difference(out.after(alone[i]), want[i]); !(off <= limit) {
			return ascood.Errorf(ascood.Internal, "the canonical network is %.2g off from what the file computes of image %d of the proof, more than %v: please report this file", off, i+1, limit)
		}
	}
	if allEqual(alone) {
		net.note("the logits are the same for black, white and patterned images: the network tells no image from another")
	}
	if net.Single {
		return nil
	}
	together, err := logits(images, images[:2])
	for i := range together {
		if off := difference(together[i], alone[i%len(images)]); !(off <= tolerance) {
			err = errNotTracked
		}
	}
	if err == nil {
		return nil
	}
	if in.batch > 1 {
		return ascood.Errorf(ascood.Unsupported, "the file takes %d images at a time, and an image's logits depend on the others; export it for one image", in.batch)
	}
	net.single()
	return net.fix(in)
}

// allEqual reports whether rows hold the same values.
func allEqual(rows [][]float32) bool {
	return !slices.ContainsFunc(rows, func(r []float32) bool { return !slices.Equal(r, rows[0]) })
}

// fix makes a network one of single images.
func (net *Network) fix(in image) error {
	one := func(s onnx.Shape) onnx.Shape { return onnx.Static(s.At(1)...) }
	shapes := map[string]onnx.Shape{}
	for name, s := range onnx.Shapes(net.Model.Graph) {
		shapes[name] = one(s)
	}
	rewrite(net.Model.Graph, shapes)
	return nil
}

// fileLogits returns what the file computes of each image.
func (net *Network) fileLogits(original *graph, in image, out output, run Run, images [][]float32) ([][]float32, error) {
	copied := *original
	copied.outputs = nil
	cast := copied.fresh("logits")
	copied.nodes = append(copied.nodes[:len(copied.nodes):len(copied.nodes)], &onnx.NodeProto{Name: cast, OpType: "Cast",
		Input: []string{out.name}, Output: []string{cast}, Attribute: []onnx.Attr{onnx.Int("to", int(onnx.TensorProto_FLOAT))}})
	var inputs []map[string]*onnx.TensorProto
	for _, image := range images {
		var batch [][]float32
		for range in.batch {
			batch = append(batch, image)
		}
		inputs = append(inputs, in.batchOf(join(batch), in.batch))
	}
	results, err := run(copied.model(copied.inputs, []*onnx.ValueInfoProto{onnx.Shapeless(cast, onnx.TensorProto_FLOAT)}), inputs...)
	if err != nil {
		return nil, doesNotRun(inputs[0], err)
	}
	var logits [][]float32
	for _, r := range results {
		values, err := r[cast].Floats()
		if err != nil || len(values) != in.batch*net.Classes {
			return nil, ascood.Errorf(ascood.Invalid, "the network made %d logits of %d images; want %d of each", len(values), in.batch, net.Classes)
		}
		for _, v := range values {
			if v-v != 0 {
				return nil, ascood.Errorf(ascood.Invalid, "the network computes %v: the training has diverged, or it takes images of another scale", v)
			}
		}
		logits = append(logits, values[:net.Classes])
	}
	return logits, nil
}

// half reports whether a graph has weights of half precision.
func (g *graph) half() bool {
	for _, t := range g.consts {
		if t.Type() == onnx.TensorProto_FLOAT16 || t.Type() == onnx.TensorProto_BFLOAT16 {
			return true
		}
	}
	return false
}

// after computes what the file does after the logits.
func (out output) after(logits []float32) []float32 {
	for range out.ends {
		logits = softmax(logits)
	}
	if len(out.ends) > 0 && out.ends[0] == "LogSoftmax" {
		for i, v := range logits {
			logits[i] = float32(math.Log(float64(v)))
		}
	}
	return logits
}

func softmax(logits []float32) []float32 {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range logits {
		largest = math.Max(largest, float64(v))
	}
	p := make([]float32, len(logits))
	for _, v := range logits {
		sum += math.Exp(float64(v) - largest)
	}
	for i, v := range logits {
		p[i] = float32(math.Exp(float64(v)-largest) / sum)
	}
	return p
}

// trials are images to compare with, normalised: black, white, noise, and a pattern.
func (in image) trials(opt Options) [][]float32 {
	rng := rand.New(rand.NewPCG(3, 5))
	plane := in.size * in.size
	made := make([][]float32, 5)
	for i := range made {
		made[i] = make([]float32, 3*plane)
		for k := range made[i] {
			y, x := k%plane/in.size, k%in.size
			pixel := []int{0, 255, rng.IntN(256), 255 * ((x/4 + y/4) % 2), 255 * (x + y) / (2 * in.size)}[i]
			made[i][k] = in.normalised(pixel, k/plane, opt)
		}
	}
	return made
}

// normalised is the value of a pixel in a channel. Files that take bytes have whole
// numbers.
func (in image) normalised(pixel, channel int, opt Options) float32 {
	v := (float32(pixel)/255 - float32(opt.Mean[channel])) / float32(opt.Std[channel])
	if in.input.Type.GetTensorType().ElemType == int32(onnx.TensorProto_UINT8) {
		return float32(math.Round(float64(v)))
	}
	return v
}

func join(rows [][]float32) []float32 {
	var all []float32
	for _, r := range rows {
		all = append(all, r...)
	}
	return all
}

// difference is the largest between two vectors, as a part of the largest value.
func difference(got, want []float32) float64 {
	largest, off := 1e-6, 0.0
	for i, w := range want {
		largest = math.Max(largest, math.Abs(float64(w)))
		off = math.Max(off, math.Abs(float64(w)-float64(got[i])))
		if got[i] != got[i] {
			off = math.Inf(1)
		}
	}
	return off / largest
}
