package export

import (
	"slices"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/gradient"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/preprocess"
)

// composer makes an artifact's graph of a network: what is before it, its gradient, and
// the scores. Wherever the network comes from, it is emitted once for each image that
// it is to see.
type composer struct {
	*passes
	classes   int
	batch     any // "N", or 1 for a network that takes one image at a time
	size      int
	mean, std []float32
}

func newComposer(p *passes, classes int, batch any, pre preprocess.Config) *composer {
	return &composer{p, classes, batch, pre.ImageSize, float32s(pre.Mean), float32s(pre.Std)}
}

// targets are those of package gradient.
var targets = map[artifact.Target]gradient.Target{artifact.CPU: gradient.CPU, artifact.CUDA: gradient.CUDA}

// compose emits the whole graph; see the constants of package artifact for what each
// value is.
func (c *composer) compose(score artifact.Score, target gradient.Target) error {
	c.Scope("preprocess/")
	pixels := c.Input(artifact.Pixels, "images, RGB", onnx.TensorProto_UINT8, c.batch, c.size, c.size, 3)
	temperature, noise := score.Perturbation()
	c.Weights(artifact.Temperature, []float32{float32(temperature)})
	c.Weights(artifact.Noise, []float32{float32(noise)})
	image := c.Rename(c.normalise(pixels), artifact.Image)

	net := c.whole("forward", image)
	for _, v := range net.inner {
		c.rename(net, v[0], v[1])
	}
	logits := c.rename(net, net.logits, artifact.Logits)
	if net.feature != "" {
		c.rename(net, net.feature, artifact.Feature)
	}
	prediction := c.Rename(c.Op("ArgMax", []string{logits}, onnx.Int("axis", 1), onnx.Int("keepdims", 0)), artifact.Prediction)

	c.Scope("gradient/")
	byLogits, lowered := c.raised(c.gradCrossEntropy(logits, prediction, c.classes))
	byImage, err := gradient.Of(c.Builder, target, logits, byLogits, image)
	if err != nil {
		return err
	}
	byImage = c.Rename(c.Op("Mul", []string{byImage, c.Say(c.reshape(lowered, 1, 1, 1))}), artifact.Gradient)

	c.Scope("odin/")
	odin := c.confidence(c.whole("odin", c.odinImage(image, byImage)).logits)
	c.Scope("iodin/")
	moved := c.strongest(byImage)
	iodin := c.confidence(c.again("iodin", net, c.iodinImage(image, moved), moved.place))
	c.Scope("iodin_fast/")
	fast := c.iodinFast(logits, moved)

	c.output(logits, "class scores", onnx.TensorProto_FLOAT)
	if net.feature != "" {
		c.output(artifact.Feature, "pooled feature", onnx.TensorProto_FLOAT)
	}
	for _, v := range net.inner {
		if slices.Contains(artifact.OfHeads(), v[1]) {
			c.output(v[1], "further output of the head", onnx.TensorProto_FLOAT)
		}
	}
	c.output(prediction, "most likely class", onnx.TensorProto_INT64)
	c.output(byImage, "d CE(logits/T, prediction) / d image", onnx.TensorProto_FLOAT)
	c.output(c.Rename(c.reshape(moved.at), artifact.Index), "element that i-ODIN moves", onnx.TensorProto_INT64)
	c.output(c.Rename(odin, artifact.ODIN), "ODIN score", onnx.TensorProto_FLOAT)
	c.output(c.Rename(iodin, artifact.IODIN), "i-ODIN score", onnx.TensorProto_FLOAT)
	c.output(c.Rename(fast, artifact.IODINFast), "logarithm of the i-ODIN score to first order", onnx.TensorProto_FLOAT)
	return c.scores(score)
}

// scores emits the scores of the logits alone, and the one that the artifact is to
// decide by, if it has a name.
func (c *composer) scores(own artifact.Score) error {
	for _, s := range []struct {
		output string
		artifact.Score
	}{
		{artifact.MSP, artifact.Score{Name: artifact.ScoreMSP, Temperature: 1}},
		{artifact.MLS, artifact.Score{Name: artifact.ScoreMLS}},
		{artifact.EBO, artifact.Score{Name: artifact.ScoreEBO}},
		{artifact.OwnScore, own},
	} {
		if s.Name == "" {
			continue
		}
		_, m, err := posthoc.Of(s.Score)
		if err != nil {
			return err
		}
		if err := posthoc.Attach(c.Builder, m, s.output, posthoc.Float32); err != nil {
			return err
		}
	}
	return nil
}

// output declares a value as an output, of the shape that it has.
func (c *composer) output(name, doc string, t onnx.TensorProto_DataType) {
	var dims []any
	if shape, err := c.Shape(name); err == nil {
		for _, d := range shape {
			if d.Batch {
				dims = append(dims, d.String())
			} else {
				dims = append(dims, d.Size)
			}
		}
	}
	c.Output(name, doc, t, dims...)
}

func float32s(v [3]float64) []float32 {
	return []float32{float32(v[0]), float32(v[1]), float32(v[2])}
}
