// Package oip is the Open Inference Protocol, version 2, as far as it concerns neither
// HTTP nor gRPC: what a model takes and returns, tensors as JSON and in binary, and how
// a request is answered.
//
// The protocol is that of github.com/kserve/open-inference-protocol; the binary layout is
// Triton's extension "binary tensor data".
package oip

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/serve/scoring"
)

// Version is the only one that each model has: whatever is loaded under its name.
const Version = "1"

// Platform is the protocol's name for ONNX files.
const Platform = "onnx_onnxv1"

// Data types of the protocol that occur here.
const (
	Uint8 = "UINT8"
	Int64 = "INT64"
	FP32  = "FP32"
	FP64  = "FP64"
	Bytes = "BYTES"
)

// Inputs: a request has one of them, of N images.
const (
	ImageInput  = "image"  // BYTES [N]: image files
	PixelsInput = "pixels" // UINT8 [N,S,S,3]: crops, as the network takes them
)

// Outputs beside those of the artifact, of N images each.
const (
	VerdictOutput     = "verdict"     // BYTES [N]
	PValueOutput      = "p_value"     // FP64 [N]
	ScoreOutput       = "score"       // FP64 [N]
	ClassOutput       = "class"       // BYTES [N]: the name of the prediction
	ProbabilityOutput = "probability" // FP64 [N]
)

// Tensor is a named array in row-major order. Data is []uint8, []int64, []float32,
// []float64, or [][]byte for BYTES.
type Tensor struct {
	Name  string
	Type  string
	Shape []int64
	Data  any
}

// Request asks for outputs of images. None named are all that there are.
type Request struct {
	ID      string
	Inputs  []Tensor
	Outputs []string
}

// Response holds the outputs in the order in which they were asked for.
type Response struct {
	Model, Version, ID string
	Outputs            []Tensor
}

// verdictOutputs are those that cost nothing beyond the verdict itself.
var verdictOutputs = []string{VerdictOutput, PValueOutput, ScoreOutput, artifact.Prediction, ClassOutput, ProbabilityOutput}

// TensorMetadata describes an input or output; -1 in the shape is the number of images.
type TensorMetadata struct {
	Name  string  `json:"name"`
	Type  string  `json:"datatype"`
	Shape []int64 `json:"shape"`
}

// ModelMetadata describes a model.
type ModelMetadata struct {
	Name     string           `json:"name"`
	Versions []string         `json:"versions"`
	Platform string           `json:"platform"`
	Inputs   []TensorMetadata `json:"inputs"`
	Outputs  []TensorMetadata `json:"outputs"`
}

var types = map[ioodin.Type]string{ioodin.Float32: FP32, ioodin.Float64: FP64, ioodin.Int64: Int64}

// Describe describes a model that is served.
func Describe(v *scoring.Version) ModelMetadata {
	size := int64(v.Info().Preprocess.ImageSize)
	m := ModelMetadata{
		Name: v.Name(), Versions: []string{Version}, Platform: Platform,
		Inputs: []TensorMetadata{{ImageInput, Bytes, []int64{-1}}, {PixelsInput, Uint8, []int64{-1, size, size, 3}}},
		Outputs: []TensorMetadata{
			{VerdictOutput, Bytes, []int64{-1}}, {PValueOutput, FP64, []int64{-1}}, {ScoreOutput, FP64, []int64{-1}},
			{ClassOutput, Bytes, []int64{-1}}, {ProbabilityOutput, FP64, []int64{-1}},
		},
	}
	for _, s := range v.Outputs() {
		if s.Name == ScoreOutput {
			continue // there already
		}
		shape := []int64{-1}
		for _, d := range s.Shape {
			shape = append(shape, int64(d))
		}
		m.Outputs = append(m.Outputs, TensorMetadata{s.Name, types[s.Type], shape})
	}
	return m
}

// ServerMetadata describes the server.
type ServerMetadata struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"`
}

// Server returns what there is to say about the server.
func Server() ServerMetadata {
	return ServerMetadata{"ascood", ascood.Version, []string{"binary_tensor_data"}}
}

// SharedMemory is the parameter of inputs and outputs whose data is in memory that client
// and server share.
const SharedMemory = "shared_memory_region"

// NoSharedMemory refuses an input or output with that parameter.
func NoSharedMemory(kind, name string) error {
	return ascood.Errorf(ascood.Unsupported, "%s %.50q: shared memory is not supported", kind, name)
}

// CheckVersion returns an error for any version but "" and the one that there is.
func CheckVersion(model, version string) error {
	if version == "" || version == Version {
		return nil
	}
	return ascood.Errorf(scoring.NotFound, "model %.100q has no version %.20q: it has version %s, whatever its file is", model, version, Version)
}
