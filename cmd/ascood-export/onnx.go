package main

import (
	"fmt"
	"io"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/ort"
	"github.com/ascood/ascood/onnx"
	"github.com/ascood/ascood/preprocess"
)

// foreign are the flags of a network of another program.
type foreign struct {
	file                     string
	layout, channels, logits string
}

func (r *request) addForeign() {
	fs := r.fs
	fs.StringVar(&r.foreign.file, "onnx", "", "`file` of a classifier that another program has written as ONNX, in place of --checkpoint")
	fs.StringVar(&r.foreign.layout, "input-layout", "", "where the network's input has its channels, nchw or nhwc, if its shape does not tell")
	fs.StringVar(&r.foreign.channels, "channels", importer.RGB, "what channels the network takes: rgb, bgr or gray")
	fs.StringVar(&r.foreign.logits, "logits", "", "`output` that is the logits, if the network has several")
}

// checkForeign reports flags that do not go together.
func (r *request) checkForeign() error {
	if r.foreign.file == "" {
		return cli.OnlyWith(r.fs, "onnx", "input-layout", "channels", "logits")
	}
	for _, name := range []string{"checkpoint", "arch"} {
		if r.fs.Changed(name) {
			return cli.Usagef("--%s has no meaning beside --onnx", name)
		}
	}
	return nil
}

// fromONNX returns the artifact of a network of another program.
func (r *request) fromONNX(opt export.Options, stderr io.Writer) (*onnx.ModelProto, *artifact.Metadata, error) {
	if opt.Preprocess == nil {
		return nil, nil, cli.Usagef("an ONNX file does not say how images become its input: give %w", preprocess.Missing())
	}
	m, err := importer.Read(r.foreign.file)
	if err != nil {
		return nil, nil, err
	}
	net, err := importer.Import(m, importer.Options{
		Run: ort.Evaluate, Size: opt.Preprocess.ImageSize, Mean: opt.Preprocess.Mean, Std: opt.Preprocess.Std,
		Layout: r.foreign.layout, Channels: r.foreign.channels, Logits: r.foreign.logits, Taken: artifact.Names(),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.foreign.file, err)
	}
	for _, note := range net.Notes {
		fmt.Fprintf(stderr, "%s: %s.\n", r.foreign.file, note)
	}
	if opt.Classes == nil {
		if opt.Classes, err = r.classNames(net, stderr); err != nil {
			return nil, nil, err
		}
	}
	model, meta, err := export.FromNetwork(net.Model, net.Feature, opt)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.foreign.file, err)
	}
	return model, meta, nil
}

// classNames are those that the file has, or those of the calibration images, if they
// are as many as the logits. It says where they are from; without any they are numbers.
func (r *request) classNames(net *importer.Network, stderr io.Writer) ([]string, error) {
	if len(net.Names) == net.Classes {
		fmt.Fprintf(stderr, "%s: the class names are those of its metadata.\n", r.foreign.file)
		return net.Names, nil
	}
	if r.calibrate == "" {
		return nil, nil
	}
	data, err := dataset.Open(r.calibrate, r.dataDir)
	if err != nil {
		return nil, fmt.Errorf("--calibrate: %w", err)
	}
	names := dataset.Classes(data)
	if len(names) != net.Classes {
		return nil, nil
	}
	fmt.Fprintf(stderr, "%s: the class names are those of %s, in that order; --classes names others.\n", r.foreign.file, r.calibrate)
	return names, nil
}
