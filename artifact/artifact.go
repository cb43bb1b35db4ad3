// Package artifact is the contract between the exporter, which writes a model as
// one self-contained ONNX file, and whatever runs it: the names of the graph's
// inputs and outputs, and the metadata that travels in the file.
package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// Pixels is the graph's input, a batch of N images of S×S pixels: uint8
// [N,S,S,3], the crop, RGB. Normalisation is in the graph.
const Pixels = "pixels"

// Constants of the graph that a runtime may turn into inputs, to vary them.
// They are no inputs with defaults, since ONNX Runtime warns of such.
const (
	Temperature = "temperature" // float32 scalar T > 0 that divides the logits in iodin, odin and gradient
	Noise       = "noise"       // float32 scalar ≥ 0: the step's size in normalised units times std
)

// Outputs of the graph, with C classes and a feature of D values.
const (
	Logits     = "logits"      // float32 [N,C]
	Feature    = "feature"     // float32 [N,D]: pooled backbone output, before any standardisation
	Prediction = "prediction"  // int64 [N]: the class of the largest logit
	Gradient   = "gradient"    // float32 [N,3,S,S]: d CE(logits/T, prediction) / d normalised image, each image on its own
	Index      = "iodin_index" // int64 [N]: the element of 3·S·S with the largest |gradient|, the one that i-ODIN moves
	ODIN       = "odin"        // float32 [N]: max softmax(logits(x')/T) with every element moved
	IODIN      = "iodin"       // float32 [N]: the same with the one element moved
	IODINFast  = "iodin_fast"  // float32 [N]: the logarithm of IODIN to first order
	MSP        = "msp"         // float64 [N]: max softmax(logits)
	MLS        = "mls"         // float64 [N]: max logits
	EBO        = "ebo"         // float64 [N]: log Σ exp(logits)
	Confidence = "confidence"  // float32 [N,1]: of a conf_branch head, the logit of how sure it is of its class
	Rotation   = "rotation"    // float32 [N,4]: of a rotpred head, the logits of a rotation by 0, 90, 180 and 270 degrees
	Cosines    = "cosines"     // float32 [N,C]: of a godin head, of the feature with each class's weight
	Projection = "projection"  // float32 [N,128]: of a projection head, at length 1
	OwnScore   = "score"       // float64 [N]: the score that the artifact decides by, with its settings

	ScoreGradient = "score_gradient" // float32 [N,3,S,S]: d score / d normalised image, each image on its own
)

// Outputs are the names of all that a graph can have. It has Logits, Prediction and
// the one that its score is; the others may have been left out at export.
func Outputs() []string {
	return []string{Logits, Feature, Prediction, Gradient, Index, ODIN, IODIN, IODINFast, MSP, MLS, EBO, Confidence, Rotation, Cosines, Projection, OwnScore, ScoreGradient}
}

// OfHeads are the outputs that only networks with certain heads have.
func OfHeads() []string { return []string{Confidence, Rotation, Cosines, Projection} }

// Image is the value inside the graph that holds the normalised image, float32
// [N,3,S,S].
const Image = "image"

// Values inside the graph of a ResNet: the maps that its stages begin with, and those
// after each stage, float32 [N,C,H,W].
const (
	Stem   = "stem"
	Layer1 = "layer1"
	Layer2 = "layer2"
	Layer3 = "layer3"
	Layer4 = "layer4"
)

// Maps are the names of these values.
func Maps() []string { return []string{Stem, Layer1, Layer2, Layer3, Layer4} }

// Names are all names of values that have a meaning in a graph.
func Names() []string {
	return append(append(Outputs(), Pixels, Image, Temperature, Noise), Maps()...)
}

// formatKey marks a file as ours and names the metadata's version.
const (
	formatKey     = "ascood.format"
	formatVersion = "1"
	metadataKey   = "ascood.metadata"
)

// Metadata is what a model says about itself.
type Metadata struct {
	Name        string            `json:"name"`
	Arch        string            `json:"arch"`
	Width       int               `json:"width"`
	Head        string            `json:"head"`
	Classes     []string          `json:"classes"`
	Preprocess  preprocess.Config `json:"preprocess"`
	Score       Score             `json:"score"`
	Target      Target            `json:"target,omitempty"` // "" in files of before it was there: CPU
	Calibration *Calibration      `json:"calibration,omitempty"`
	Source      Source            `json:"source"`
}

// Target is the device that an artifact's gradient is written for. It computes the same
// on all, but each has operators that are slow on the other.
type Target string

// The targets.
const (
	CPU  Target = "cpu"
	CUDA Target = "cuda"
)

// Targets returns all of them.
func Targets() []Target { return []Target{CPU, CUDA} }

// Source says where the weights came from.
type Source struct {
	Checkpoint string          `json:"checkpoint"` // base name of the file
	SHA256     string          `json:"sha256"`     // of the file, hexadecimal
	Training   json.RawMessage `json:"training,omitempty"`
	Taken      []string        `json:"taken,omitempty"` // which of the file's contents the network was made of, in words, where it leaves a question
}

// validate reports the first value that cannot be.
func (d *Metadata) validate() error {
	p := d.Preprocess
	if err := p.Validate(); err != nil {
		return fmt.Errorf("preprocess: %w", err)
	}
	if p.PreSize < p.ImageSize {
		return fmt.Errorf("preprocess: images are resized to a pre_size of %d, less than the crop; want at least the image_size, %d", p.PreSize, p.ImageSize)
	}
	if len(d.Classes) == 0 {
		return errors.New("classes has no names; want one for each logit")
	}
	if err := d.Score.Validate(); err != nil {
		return fmt.Errorf("score: %w", err)
	}
	if d.Target != "" && !slices.Contains(Targets(), d.Target) {
		return fmt.Errorf("target %q: want one of %v", d.Target, Targets())
	}
	if d.Calibration != nil {
		if err := d.Calibration.validate(); err != nil {
			return fmt.Errorf("calibration: %w", err)
		}
		if n := len(d.Calibration.Classes); n != 0 && n != len(d.Classes) {
			return fmt.Errorf("calibration: classes has %d numbers for %d classes; want one for each", n, len(d.Classes))
		}
	}
	return nil
}

// Write stores the metadata in the model, replacing what is there.
func (d *Metadata) Write(m *onnx.ModelProto) error {
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	m.MetadataProps = []*onnx.StringStringEntryProto{
		{Key: formatKey, Value: formatVersion},
		{Key: metadataKey, Value: string(text)},
	}
	return nil
}

// Read returns the metadata of a model that Write has marked; a file without the
// mark is ascood.Invalid.
func Read(m *onnx.ModelProto) (*Metadata, error) {
	props := map[string]string{}
	for _, p := range m.GetMetadataProps() {
		props[p.Key] = p.Value
	}
	switch v, ok := props[formatKey]; {
	case !ok:
		return nil, ascood.Errorf(ascood.Invalid, "an ONNX file, but not one that ascood-export wrote: no %q in its metadata", formatKey)
	case v != formatVersion:
		return nil, ascood.Errorf(ascood.Unsupported, "format version %s of the artifact is unknown, this program reads version %s", v, formatVersion)
	}
	var d Metadata
	if err := json.Unmarshal([]byte(props[metadataKey]), &d); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "the artifact's metadata is damaged: %w", err)
	}
	return &d, nil
}

// Load reads an artifact from a file. A file that is missing, truncated, no ONNX
// file, not one of ours or with a fault that Check finds is an error that names it.
func Load(path string) (*onnx.ModelProto, *Metadata, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.Invalid, "model: %w", err)
	}
	if isWeights(data) {
		return nil, nil, ascood.Errorf(ascood.Invalid, "model %s: weights of a network, not a model: ascood-export makes one of them", path)
	}
	m, err := onnx.Parse(data)
	if err != nil {
		return nil, nil, ascood.Errorf(ascood.Invalid, "model %s: %w", path, err)
	}
	d, err := Read(m)
	if err == nil {
		err = Check(m, d)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("model %s: %w", path, err)
	}
	return m, d, nil
}

// isWeights recognises what torch.save wrote, and safetensors.
func isWeights(data []byte) bool {
	return bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("\x80\x02")) ||
		len(data) > 9 && bytes.HasPrefix(data[6:], []byte("\x00\x00{\""))
}

// Save writes the model and its metadata; a reader sees the old file or the new
// one, never a part. What Load would not take is an error here.
func Save(path string, m *onnx.ModelProto, d *Metadata) error {
	if err := Check(m, d); err != nil {
		return fmt.Errorf("model %s: %w", path, err)
	}
	if err := d.Write(m); err != nil {
		return err
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode model: %w", err)
	}
	return atomicfile.WriteFile(path, data)
}
