package testmodel

import (
	"testing"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
)

// Imported exports another program's network for images of the size that it takes, with
// i-ODIN as published.
func Imported(tb testing.TB, read *onnx.ModelProto, target artifact.Target) (*onnx.ModelProto, *artifact.Metadata) {
	tb.Helper()
	shape := read.Graph.Input[0].Type.GetTensorType().Shape.Dim
	pre := Square(int(shape[len(shape)-1].GetDimValue()))
	net, err := importer.Import(read, importer.Options{Run: ort.Evaluate, Size: pre.ImageSize, Mean: pre.Mean, Std: pre.Std, Taken: artifact.Names()})
	if err != nil {
		tb.Fatal(err)
	}
	score, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if err != nil {
		tb.Fatal(err)
	}
	m, meta, err := export.FromNetwork(export.Network{Model: net.Model, Feature: net.Feature, Linear: net.Linear}, export.Options{
		Name: "imported", Target: target, Preprocess: &pre, Score: score,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m, meta
}
