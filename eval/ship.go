package eval

import (
	"context"
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/posthoc"
)

// Ship returns the network's artifact with a choice as the score that it decides by,
// uncalibrated. The choice learns from Train and ValidID; the other sets are not needed.
func (e *Evaluation) Ship(ctx context.Context, c Choice, bank posthoc.BankType) (*onnx.ModelProto, *artifact.Metadata, error) {
	if err := e.checkShipping(c); err != nil {
		return nil, nil, err
	}
	from, err := e.gather(ctx, []Choice{c})
	if err != nil {
		return nil, nil, err
	}
	defer from.free()
	if err := e.ready(ctx, []Entry{c.Entry}, from); err != nil {
		return nil, nil, err
	}
	m, d, err := e.Network.with(c.Entry, bank)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Name, err)
	}
	return m, d, nil
}

// checkShipping finds what a choice lacks before any image is looked at.
func (e *Evaluation) checkShipping(c Choice) error {
	alone := Evaluation{Network: e.Network, Choices: []Choice{c}, Train: e.Train, ValidID: e.ValidID, ValidOOD: e.ValidOOD}
	if err := alone.checkSets(); err != nil {
		return err
	}
	sizes, err := alone.sizes()
	if err != nil {
		return err
	}
	if err := alone.checkChoice(c, sizes); err != nil {
		return err
	}
	if err := posthoc.CheckBank(c.Entry.Method, sizes, len(e.Network.meta.Classes)); err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return alone.checkLabels()
}

// with returns the artifact with a fitted method as the score that it decides by.
func (n *Network) with(m Entry, bank posthoc.BankType) (*onnx.ModelProto, *artifact.Metadata, error) {
	d := *n.meta
	d.Calibration = nil
	var err error
	if d.Score, err = posthoc.Describes(m.Name, m.Method); err != nil {
		return nil, nil, err
	}
	g := onnx.WithOutputs(n.model.Graph, slices.DeleteFunc(slices.Clone(n.model.Graph.Output), func(v *onnx.ValueInfoProto) bool {
		return v.Name == artifact.OwnScore || v.Name == artifact.ScoreGradient
	}))
	without := onnx.WithGraph(n.model, g)
	rest, err := onnx.Extract(without, artifact.OutputsOf(without)) // without what the former score was made of
	if err != nil {
		return nil, nil, err
	}
	b := onnx.Extend(rest.Graph)
	if needs := m.Needs(); needs.Temperature > 0 {
		b.Replace(onnx.NewFloats(artifact.Temperature, []float32{float32(needs.Temperature)}))
		b.Replace(onnx.NewFloats(artifact.Noise, []float32{float32(needs.Noise)}))
	}
	if err := posthoc.Attach(b, m.Method, artifact.OwnScore, bank); err != nil {
		return nil, nil, err
	}
	model, err := b.Model(n.model.ProducerName, n.model.ProducerVersion)
	if err != nil {
		return nil, nil, err
	}
	model = onnx.WithGraph(n.model, model.Graph)
	if explained, err := posthoc.Explain(model, &d); err == nil {
		model = explained
	} else if ascood.CodeOf(err) != ascood.Unsupported { // which has no gradient
		return nil, nil, err
	}
	if err := artifact.Check(model, &d); err != nil {
		return nil, nil, ascood.Errorf(ascood.Internal, "the artifact with the score: %w", err)
	}
	return model, &d, nil
}
