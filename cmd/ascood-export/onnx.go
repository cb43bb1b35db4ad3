package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// foreign are the flags of a network of another program.
type foreign struct {
	file                     string
	layout, channels, logits string
	feature                  string
	taps                     map[string]string
}

func (r *request) addForeign() {
	fs := r.fs
	fs.StringVar(&r.foreign.file, "onnx", "", "`file` of a classifier that another program has written as ONNX, in place of --checkpoint")
	fs.StringVar(&r.foreign.layout, "input-layout", "", "where the network's input has its channels, nchw or nhwc, if its shape does not tell")
	fs.StringVar(&r.foreign.channels, "channels", importer.RGB, "what channels the network takes: rgb, bgr or gray")
	fs.StringVar(&r.foreign.logits, "logits", "", "`output`, or value inside the network, that is the logits, if there are several or the last is none")
	fs.StringVar(&r.foreign.feature, "feature", "", "`value` in the network, [N,D], that is its feature, if it does not end in a linear layer")
	fs.StringToStringVar(&r.foreign.taps, "tap", nil, "`name=value`: maps in the network, [N,C,H,W], that methods know as stem or layer1 to layer4")
}

// checkForeign reports flags that do not go together.
func (r *request) checkForeign() error {
	if r.foreign.file == "" {
		return cli.OnlyWith(r.fs, "onnx", "input-layout", "channels", "logits", "feature", "tap")
	}
	for name := range r.foreign.taps {
		if !slices.Contains(artifact.Maps(), name) {
			return cli.Usagef("--tap %s: the names are %s", name, strings.Join(artifact.Maps(), ", "))
		}
	}
	for _, name := range []string{"checkpoint", "arch"} {
		if r.fs.Changed(name) {
			return cli.Usagef("--%s has no meaning beside --onnx", name)
		}
	}
	return nil
}

// fromONNX returns the artifact of a network of another program, and the class names
// in its file.
func (r *request) fromONNX(opt export.Options) (*onnx.ModelProto, *artifact.Metadata, []string, error) {
	if opt.Preprocess == nil {
		return nil, nil, nil, cli.Usagef("an ONNX file does not say how images become its input: give %w", preprocess.Missing())
	}
	m, files, err := importer.ReadFiles(r.foreign.file)
	if err != nil {
		if _, e := checkpoint.Open(r.foreign.file); e == nil {
			err = ascood.Errorf(ascood.Invalid, "%s: a checkpoint, not an ONNX file: it is given by --checkpoint", r.foreign.file)
		}
		return nil, nil, nil, err
	}
	if r.output != "" {
		if err := atomicfile.Check(r.output, files...); err != nil {
			return nil, nil, nil, err
		}
	}
	if _, err := artifact.Read(m); err == nil {
		return nil, nil, nil, ascood.Errorf(ascood.Invalid, "%s: a model that ascood-export has made already: the other programs take it as it is", r.foreign.file)
	}
	net, err := importer.Import(m, importer.Options{
		Run: ort.Evaluate, Size: opt.Preprocess.ImageSize, Mean: opt.Preprocess.Mean, Std: opt.Preprocess.Std,
		Layout: r.foreign.layout, Channels: r.foreign.channels, Logits: r.foreign.logits,
		Feature: r.foreign.feature, Taps: r.foreign.taps, Taken: artifact.Names(),
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", r.foreign.file, err)
	}
	opt.Source.Taken = net.Notes
	model, meta, err := export.FromNetwork(export.Network{
		Model: net.Model, Feature: net.Feature, Linear: net.Linear, Inner: net.Taps,
		Names: checkpoint.ClassList{Names: net.Names, Key: "its metadata"},
	}, opt)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", r.foreign.file, err)
	}
	return model, meta, net.Names, nil
}
