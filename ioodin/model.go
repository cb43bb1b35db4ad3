// Package ioodin runs an exported model and says of each image whether it is in
// or out of distribution.
package ioodin

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// Options says how a model is to be run. The zero value is the CPU, all cores,
// and the score that the artifact was exported with.
type Options struct {
	Device  ascood.Device
	Threads int             // for one batch; 0 is one a core
	Score   *artifact.Score // nil is the artifact's
	Logger  *slog.Logger    // tells what "auto" chose; nil is silent
	Details bool            // compute all outputs of the artifact, for Model.Details, and not only what the score needs

	// For a GPU.
	TF32      bool  // round to 11 bits in convolutions and matrix products, which is faster (docs/gpu.md)
	GPUMemory int64 // most that each padded batch size takes on the GPU, bytes; 0 is no limit

	nhwc       bool  // channels innermost, to compare
	batchSizes []int // to pad to on any device, for tests
}

// session opens a graph of images of size x size pixels as the options say.
func (o Options) session(m *onnx.ModelProto, size int) (*ort.Session, error) {
	return ort.Open(m, ort.Options{
		Device: o.Device, Threads: o.Threads, Logger: o.Logger, TF32: o.TF32, GPUMemory: o.GPUMemory, NHWC: o.nhwc,
		Own: true, Sizes: o.batchSizes, Most: pieceSize(size),
	})
}

// open opens the part of an artifact that computes a score of images of size x size pixels.
// If that is the artifact's own, a GPU must have kernels for all of it; "auto" is the CPU if
// it has not. The part is opened last, so that its weights can go while the runtime copies them.
func (o Options) open(part *onnx.ModelProto, score artifact.Score, size int) (*ort.Session, error) {
	if score.Output() == artifact.OwnScore {
		switch err := o.placed(part, score); {
		case err == nil:
		case !o.Device.IsAuto():
			return nil, err
		case ascood.CodeOf(err) == ascood.Unsupported: // of other errors it is told when the part is opened
			if o.Logger != nil {
				o.Logger.Info("device chosen", "device", "cpu", "because", err.Error())
			}
			o.Device = ascood.Device{}
		}
	}
	return o.session(part, size)
}

// placed reports what the device has no kernel for, of the artifact's own score.
func (o Options) placed(part *onnx.ModelProto, score artifact.Score) error {
	device := o.Device
	if device.IsAuto() {
		device = ascood.CUDA(0)
	}
	own, err := ownPart(part)
	if err == nil {
		err = ort.CheckPlacement(own, device, ort.Options{Threads: o.Threads})
	}
	if err != nil {
		return fmt.Errorf("the score %s: %w", score.Name, err)
	}
	return nil
}

// ownPart is what the artifact's own score is computed by of values of the network, which
// become its inputs.
func ownPart(m *onnx.ModelProto) (*onnx.ModelProto, error) {
	const prefix = artifact.OwnScore + "/"
	makers := onnx.Makers(m.Graph)
	var cut []*onnx.ValueInfoProto
	seen := map[string]bool{}
	for _, n := range m.Graph.Node {
		if !strings.HasPrefix(n.Name, prefix) {
			continue
		}
		for _, in := range n.Input {
			if maker := makers[in]; !seen[in] && maker != nil && !strings.HasPrefix(maker.Name, prefix) {
				seen[in] = true
				cut = append(cut, onnx.Shapeless(in, onnx.TensorProto_FLOAT))
			}
		}
	}
	return onnx.Extract(m, []string{artifact.OwnScore}, cut...)
}

// Model scores images. It may be used from several goroutines at once.
type Model struct {
	info    artifact.Metadata
	score   artifact.Score
	session *ort.Session
	threads int
	outputs []Signature // of the artifact
	details bool
}

// Open loads an artifact from a file. Errors name the file and what is wrong
// with it, or what the device lacks.
func Open(path string, opt Options) (*Model, error) {
	m, d, err := artifact.Load(path)
	if err != nil {
		return nil, err
	}
	return New(m, d, opt)
}

// New loads an artifact from memory. Only the part of the graph that the score
// needs is kept. What artifact.Check finds is an error.
func New(m *onnx.ModelProto, d *artifact.Metadata, opt Options) (*Model, error) {
	if err := artifact.Check(m, d); err != nil {
		return nil, fmt.Errorf("model %s: %w", d.Name, err)
	}
	score := d.Score
	if opt.Score != nil {
		score = *opt.Score
	}
	if err := score.Validate(); err != nil {
		return nil, err
	}
	outputs := signatures(m)
	var further []string
	if opt.Details {
		for _, s := range outputs {
			further = append(further, s.Name)
		}
	}
	part, err := scoring(m, d, score, further...)
	if err != nil {
		return nil, err
	}
	session, err := opt.open(part, score, d.Preprocess.ImageSize)
	if err != nil {
		return nil, err
	}
	return &Model{info: *d, score: score, session: session, threads: opt.Threads, outputs: outputs, details: opt.Details}, nil
}

// scoring returns the part of an artifact that computes a score, and further values.
func scoring(m *onnx.ModelProto, d *artifact.Metadata, score artifact.Score, further ...string) (*onnx.ModelProto, error) {
	cut := settings(m)
	if score.Output() == artifact.OwnScore {
		cut = nil // it has its settings in the graph
	}
	part, err := onnx.Extract(m, unique(append(score.Needed(), further...)), cut...)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "model %s: %w", d.Name, err)
	}
	return part, nil
}

// unique returns the names in their order, each once.
func unique(names []string) []string {
	var once []string
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

// settings are the graph's constants that a run may vary, of those that it has.
func settings(m *onnx.ModelProto) []*onnx.ValueInfoProto {
	constants := onnx.Constants(m.Graph)
	var present []*onnx.ValueInfoProto
	for _, name := range []string{artifact.Temperature, artifact.Noise} {
		if constants[name] != nil {
			present = append(present, onnx.Value(name, onnx.TensorProto_FLOAT))
		}
	}
	return present
}

// Info returns what the model says about itself.
func (m *Model) Info() artifact.Metadata { return m.info }

// Settings returns the score in use.
func (m *Model) Settings() artifact.Score { return m.score }

// Calibration returns what the model's verdicts follow; the error of one that has
// scores alone says why.
func (m *Model) Calibration() (*artifact.Calibration, error) { return m.info.CalibrationOf(m.score) }

// Device returns what the model runs on.
func (m *Model) Device() ascood.Device { return m.session.Device() }

// BatchSizes returns the sizes that batches are padded to, ascending; none if they are
// run as they are.
func (m *Model) BatchSizes() []int { return m.session.Sizes() }

// BatchSize is how many images to score at once, unless told, so that none waits for others.
func (m *Model) BatchSize() int {
	if m.Device().IsCUDA() {
		return mostBatch
	}
	return min(atOnce(m.info.Preprocess.ImageSize, m.threads), mostBatch)
}

// Close frees the model; it must not be used by then.
func (m *Model) Close() error { return m.session.Close() }

// Result is what the model says of one image.
type Result struct {
	Score       float64 // higher is more in-distribution
	Prediction  int     // index of the most likely class
	Probability float64 // softmax probability of that class, at temperature 1
}

// Score evaluates a batch of crops, each uint8 [S,S,3] with S the model's
// ImageSize. The results do not depend on which images share a batch. A score that
// is not a number is a *ScoreError.
func (m *Model) Score(ctx context.Context, crops [][]uint8) ([]Result, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if len(crops) == 0 {
		return nil, nil
	}
	out, err := m.run(crops)
	if err != nil {
		return nil, err
	}
	return m.results(out, len(crops))
}

func (m *Model) run(crops [][]uint8) (map[string]ort.Value, error) {
	size := m.info.Preprocess.ImageSize
	pixels := make([]uint8, 0, len(crops)*size*size*3)
	for i, c := range crops {
		if len(c) != size*size*3 {
			return nil, ascood.Errorf(ascood.Invalid, "image %d of the batch has %d bytes; the model takes %d (%dx%dx3)", i, len(c), size*size*3, size, size)
		}
		pixels = append(pixels, c...)
	}
	return m.session.Run(Inputs{Pixels: pixels, Temperature: m.score.Temperature, Noise: m.score.Noise}.values(size, ""))
}

// results reads the verdict's ingredients of n images off the graph's outputs.
func (m *Model) results(out map[string]ort.Value, n int) ([]Result, error) {
	logits, predictions, classes := out[artifact.Logits].Floats(), out[artifact.Prediction].Ints(), len(m.info.Classes)
	if len(logits) != n*classes || len(predictions) != n {
		return nil, ascood.Errorf(ascood.Internal, "model %s has %d classes, but its graph gave %d logits and %d predictions for %d images",
			m.info.Name, classes, len(logits), len(predictions), n)
	}
	results := make([]Result, n)
	for i := range results {
		z := logits[i*classes : (i+1)*classes]
		r := &results[i]
		r.Prediction = int(predictions[i])
		r.Probability = maxSoftmax(z, 1)
		if name := m.score.Output(); name != "" {
			// An infinite score has no place in JSON.
			r.Score = math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, out[name].Number(i)))
		} else {
			r.Score = maxSoftmax(z, m.score.Temperature)
		}
		if math.IsNaN(r.Score) {
			return nil, &ScoreError{i}
		}
	}
	return results, nil
}

// ScoreError says of which image of a batch the score is not a number.
type ScoreError struct{ Index int }

const notANumber = "is not a number: the weights are damaged or the settings are extreme"

func (e *ScoreError) Error() string {
	return fmt.Sprintf("the score of image %d of the batch %s", e.Index, notANumber)
}

// maxSoftmax is the largest of softmax(z/t).
func maxSoftmax(z []float32, t float64) float64 {
	largest := math.Inf(-1)
	for _, v := range z {
		largest = math.Max(largest, float64(v))
	}
	sum := 0.0
	for _, v := range z {
		sum += math.Exp((float64(v) - largest) / t)
	}
	return 1 / sum
}
