// Command ascood-export turns a checkpoint into one self-contained ONNX file.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/export"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/imageflags"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/onnx"
)

const usage = `ascood-export writes a trained network as one ONNX file that holds the forward
pass, its input gradient and the scores, and calibrates the verdict.

  ascood-export --onnx classifier.onnx --preprocess imagenet --calibrate photos/val -o model.onnx
  ascood-export --checkpoint resnet18.pth --preprocess imagenet --calibrate photos/val -o model.onnx
  ascood-export --checkpoint best.safetensors --calibrate val.txt --data-dir images -o model.onnx
  ascood-export --model model.onnx --score knn --id-train train.txt --calibrate val.txt --data-dir images -o knn.onnx

The first is for a classifier of any program that writes ONNX files (docs/onnx.md).
The second is for a network of torchvision's that you trained with PyTorch (--arch lists
them): a file of torch.save with the state dict, a training script's checkpoint around
it, or the whole model. The architecture is read off the weights, --preprocess says what
the training's transforms were (imagenet: Resize(256), CenterCrop(224) and ImageNet's mean and standard
deviation; others in numbers, by --pre-size, --image-size, --mean and --std), and
photos/val has a folder of images for each class, named as the class. What was taken of
the file is told; no code in it is run.
`

func main() { cli.Main(run) }

// request is what the command line asks for.
type request struct {
	fs                 *pflag.FlagSet
	checkpoint, output string
	triton             string // folder
	name, stateDict    string
	arch, classes      string
	calibrate, dataDir string
	checked            string
	outputs            []string
	tpr                float64
	skipBroken         bool
	threads            int
	target             string
	score              *modelflags.Score
	preprocess         *imageflags.Preprocess
	foreign            foreign
	model              string             // to get another score
	opened             *checkpoint.File   // of --checkpoint, once it is
	published          artifact.Published // what its training says
	learning           learning
}

// flagNames are the flags of settings that have other names elsewhere.
var flagNames = cli.FlagNames{}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	r := newFlags(stdout)
	if err := cli.Parse(r.fs, args, true); err != nil {
		return err
	}
	if r.fs.NArg() > 0 {
		return cli.Usagef("unexpected argument %q: the file of the weights is named by --checkpoint", r.fs.Arg(0))
	}
	return flagNames.In(r.fs, r.run(ctx, stdout, stderr))
}

func newFlags(stdout io.Writer) *request {
	r := &request{fs: cli.NewFlags("ascood-export", usage, stdout)}
	fs := r.fs
	fs.StringVar(&r.checkpoint, "checkpoint", "", "`file` of the weights: of ascood-train, or of PyTorch (.pth, .pt, .ckpt)")
	r.addForeign()
	fs.StringVar(&r.model, "model", "", "artifact `file` that is to get another score, in place of --checkpoint")
	fs.StringVarP(&r.output, "output", "o", "", "`file` to write")
	fs.StringVar(&r.triton, "triton", "", "`folder`, a model repository of Triton's, that is to have the model too: NAME/1/model.onnx and NAME/config.pbtxt")
	fs.StringVar(&r.calibrate, "calibrate", "", "in-distribution images that the training has not seen: list, folder or IDX `file`")
	fs.StringVar(&r.checked, "check", "", "labelled images to classify, `folder`, list or IDX file: prints the accuracy as given and with other preprocessing and\n"+
		"orders of classes, best first; without --output that is all")
	fs.StringVar(&r.dataDir, "data-dir", "", "`folder` that the paths of an image list start from (default: the list's own)")
	fs.BoolVar(&r.skipBroken, "skip-broken", false, "leave out calibration images that are missing or cannot be loaded")
	fs.Float64Var(&r.tpr, "tpr", 0.95, "share of the calibration images that the threshold keeps, between 0 and 1")
	r.score = modelflags.AddScoreOf(fs, "score `method`, of those that ascood-eval knows, or a METHOD.json that it wrote: the method with the settings\n"+
		"that it has found (default: the one that the checkpoint's method of training is published with,\n"+
		"else iodin, or the --model's)")
	r.addLearning()
	fs.StringVar(&r.name, "name", "", "`name` of the model (default: the output's, without .onnx)")
	fs.StringVar(&r.arch, "arch", "", "architecture (default: the one that the weights fit): "+strings.Join(models.Archs(), ", "))
	fs.StringVar(&r.stateDict, "state-dict", "", "`key` of the weights in the checkpoint, such as model_ema, where several networks lie in it")
	r.preprocess = imageflags.Add(fs)
	fs.Var(cli.Names(&r.outputs), "outputs", "`outputs` to keep, separated by commas, for programs that compute all of a file whatever\n"+
		"they ask it for (default: all, "+strings.Join(artifact.Outputs(), ",")+")")
	fs.StringVar(&r.classes, "classes", "", "`file` with one class name a line, in the order of the logits (default: those in\n"+
		"the checkpoint, or the names of --calibrate's class folders)")
	fs.StringVar(&r.target, "target", string(artifact.CPU), "`device` that the gradient is written for, cpu or cuda; it runs, and computes the same, on both, but slower on the other")
	cli.AddThreads(fs, &r.threads, "threads", "threads to calibrate with")
	return r
}

func (r *request) run(ctx context.Context, stdout, stderr io.Writer) error {
	source := "checkpoint"
	switch {
	case r.model != "":
		source = "model"
		if err := checkModel(r.fs); err != nil {
			return err
		}
	case r.foreign.file != "":
		source = "onnx"
	}
	needed := []string{source, "output"}
	switch {
	case r.model != "":
		needed = append(needed, "score")
	case r.checked != "" && r.calibrate == "":
		needed = needed[:1]
	}
	if err := cli.Require(r.fs, needed...); err != nil {
		return err
	}
	if err := cli.OnlyWith(r.fs, "output", "triton"); err != nil {
		return err
	}
	if err := r.checkForeign(); err != nil {
		return err
	}
	r.askTraining()
	if err := r.chooseScore(); err != nil {
		return err
	}
	if err := r.checkImages(); err != nil {
		return err
	}
	opt, err := r.options()
	if err != nil {
		return err
	}
	if r.output != "" {
		if err := atomicfile.Check(r.output, r.checkpoint, r.foreign.file, r.model, r.calibrate, r.checked, r.learning.train, r.learning.validID); err != nil {
			return err
		}
	}
	return r.export(ctx, opt, stdout, stderr)
}

// checkImages reports flags on images that there are none for.
func (r *request) checkImages() error {
	if err := cli.OnlyWith(r.fs, "calibrate", "tpr"); err != nil {
		return err
	}
	if r.learning.train != "" || r.learning.validID != "" {
		return nil
	}
	if err := cli.OnlyWith(r.fs, "calibrate", "skip-broken"); err != nil {
		return err
	}
	if r.checked != "" {
		return nil
	}
	return cli.OnlyWith(r.fs, "calibrate", "data-dir", "threads")
}

// options gathers what the flags say of the network.
func (r *request) options() (export.Options, error) {
	opt := export.Options{Name: r.name, Arch: r.arch, StateDict: r.stateDict, Outputs: r.outputs, Target: artifact.Target(r.target)}
	if !slices.Contains(artifact.Targets(), opt.Target) {
		return opt, cli.Usagef("--target %q: want one of %v", r.target, artifact.Targets())
	}
	if opt.Name == "" {
		opt.Name = strings.TrimSuffix(filepath.Base(r.output), ".onnx")
	}
	published, err := artifact.DefaultScore(artifact.ScoreIODIN)
	if own := r.published.Score; err == nil && own.Name != "" && r.learning.method == nil {
		published = own
	}
	if err != nil {
		return opt, err
	}
	if opt.Score = published; r.learning.method != nil {
		opt.Outputs = nil // learning needs others
	} else if opt.Score, err = r.score.Apply(published); err != nil {
		return opt, err
	}
	if r.model != "" {
		return opt, nil // it says the rest
	}
	if opt.Preprocess, err = r.preprocess.Config(); err != nil {
		return opt, err
	}
	opt.Truncated = r.preprocess.Truncated()
	if r.classes != "" {
		opt.Classes, err = dataset.ReadClasses(r.classes)
	} else if r.calibrate != "" {
		opt.Folders, err = r.folders("calibrate", r.calibrate)
	} else if r.checked != "" {
		opt.Folders, err = r.folders("check", r.checked)
	}
	return opt, err
}

func (r *request) export(ctx context.Context, opt export.Options, stdout, stderr io.Writer) error {
	if p := r.published; p.Score.Name != "" {
		fmt.Fprintf(stderr, "Note: the score is %s, which training with the method %s is published with; --score chooses another.\n", p.Score.Name, p.Method)
	}
	model, meta, own, err := r.uncalibrated(opt, stderr)
	if err != nil {
		return err
	}
	tell(stderr, meta)
	if r.checked != "" {
		if err := r.check(ctx, model, meta, own, stdout, stderr); err != nil || r.output == "" {
			return err
		}
	}
	if model, meta, err = r.learn(ctx, model, meta, stderr); err != nil {
		return err
	}
	if r.calibrate != "" {
		if meta.Calibration, err = r.calibration(ctx, model, meta, stderr); err != nil {
			return err
		}
	}
	if err := artifact.Save(r.output, model, meta); err != nil {
		return err
	}
	if r.triton != "" {
		if err := export.SaveTriton(r.triton, model, meta); err != nil {
			return err
		}
	}
	describe(stdout, r.output, meta, artifact.OutputsOf(model))
	return r.describeSize(stdout, model)
}

// uncalibrated makes the artifact of the file at hand, and returns the class names that
// the file has.
func (r *request) uncalibrated(opt export.Options, stderr io.Writer) (model *onnx.ModelProto, meta *artifact.Metadata, own []string, err error) {
	if r.model != "" {
		model, meta, err = r.fromArtifact()
		return model, meta, nil, err
	}
	if r.foreign.file != "" {
		if opt.Source, err = source(r.foreign.file); err != nil {
			return nil, nil, nil, err
		}
		return r.fromONNX(opt)
	}
	f, err := r.open()
	if err != nil {
		return nil, nil, nil, err
	}
	if opt.Source, err = source(r.checkpoint); err != nil {
		return nil, nil, nil, err
	}
	opt.Source.Training = f.Meta.Training
	if model, meta, err = export.FromFile(f, opt); err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", r.checkpoint, err)
	}
	if odd := models.OddSize(meta.Arch, meta.Preprocess.ImageSize); odd != "" {
		fmt.Fprintf(stderr, "Note: %s.\n", odd)
	}
	if own = f.Meta.Classes; own == nil {
		own = f.Classes.Names
	}
	return model, meta, own, nil
}

// open opens the checkpoint.
func (r *request) open() (*checkpoint.File, error) {
	if r.opened != nil {
		return r.opened, nil
	}
	var err error
	r.opened, err = checkpoint.Open(r.checkpoint)
	return r.opened, err
}

// askTraining finds out which score the checkpoint's method of training is published with,
// if none is given. What is wrong with the file is told when it is taken.
func (r *request) askTraining() {
	if r.checkpoint == "" || r.score.Name() != "" {
		return
	}
	if f, err := r.open(); err == nil {
		if p, err := artifact.PublishedScore(f.Meta.Training); err == nil {
			r.published = p
		}
	}
}

// source says where the weights came from.
func source(path string) (artifact.Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return artifact.Source{}, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, f); err != nil {
		return artifact.Source{}, err
	}
	return artifact.Source{Checkpoint: filepath.Base(path), SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// calibration runs the new model on the images to calibrate with.
func (r *request) calibration(ctx context.Context, model *onnx.ModelProto, meta *artifact.Metadata, stderr io.Writer) (*artifact.Calibration, error) {
	images := modelflags.Calibration{Flag: "calibrate", Images: r.calibrate, Root: r.dataDir, TPR: r.tpr, SkipBroken: r.skipBroken}
	return images.Calibrate(ctx, model, meta, ioodin.Options{Threads: r.threads}, stderr)
}

func describe(w io.Writer, path string, d *artifact.Metadata, outputs []string) {
	size, net := d.Preprocess.ImageSize, fmt.Sprintf("%s of width %d with the %s head", d.Arch, d.Width, d.Head)
	if d.Arch == export.ArchONNX {
		net = "the network of " + d.Source.Checkpoint
	}
	fmt.Fprintf(w, "%s: %s, %d classes, %dx%d pixels, score %s\n", path, net, len(d.Classes), size, size, d.Score)
	if c := d.Calibration; c != nil {
		fmt.Fprintf(w, "calibrated on %d images: a score below %.6g is out of distribution (keeps %v%% of them)\n", c.Samples, c.Threshold, 100*c.TPR)
	} else {
		fmt.Fprintln(w, "not calibrated: it has scores but no verdicts; --calibrate adds them")
	}
	if _, of := d.Explains(d.Score, outputs); of == artifact.ExplainsPrediction {
		fmt.Fprintln(w, "explanations will be of the prediction: the file has no gradient of its score")
	}
}
