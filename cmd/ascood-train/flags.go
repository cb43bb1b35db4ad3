package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/imageflags"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/presets"
	"github.com/ascood/ascood/train"
)

// flags are the command line.
type flags struct {
	*pflag.FlagSet
	base     base         // what they change
	config   train.Config // what comes out
	options  train.Options
	pre      *imageflags.Preprocess
	dataRoot string
	seeds    seedList
	set      []string // hyperparameters, as name=value
	resume   bool

	printConfig, checkData, json bool // instead of training
	checked                      ascood.Device
}

// parse reads the command line: first to know what the flags change, then with
// that as their defaults.
func parse(args []string, stdout io.Writer) (*flags, error) {
	first := newFlags(train.Default(train.OODGradient), stdout)
	if err := cli.Parse(first.FlagSet, args, false); err != nil {
		return nil, err
	}
	b, err := first.findBase()
	if err != nil {
		return nil, err
	}
	f := newFlags(b.config, stdout)
	f.base = b
	if err := cli.Parse(f.FlagSet, args, false); err != nil {
		return nil, err
	}
	return f, f.settle()
}

func newFlags(defaults train.Config, stdout io.Writer) *flags {
	f := &flags{config: defaults, FlagSet: cli.NewFlags("ascood-train", usage, stdout)}
	f.experiment()
	f.data()
	f.hyperparameters()
	cli.AddDevice(f.FlagSet, &f.options.Device, "cpu")
	cli.AddThreads(f.FlagSet, &f.options.Threads, "threads", "processor threads of the network")
	cli.AddThreads(f.FlagSet, &f.options.Workers, "workers", "images that are loaded at the same time")
	return f
}

// experiment defines the flags on the run as a whole.
func (f *flags) experiment() {
	f.StringVar(&f.config.Preset, "preset", f.config.Preset, "published `experiment`: "+strings.Join(presets.Names(), ", "))
	f.StringVar(&f.dataRoot, "data-root", "", "`folder` of the preset's lists and images, in OpenOOD's layout")
	f.StringVarP(&f.options.Output, "output", "o", "", "`folder` for the run's files (default for a preset: below results, as the reference names it)")
	f.Var(&f.seeds, "seeds", "make a run with each of these `seeds`, in a folder s0, s1, … of --output")
	f.BoolVar(&f.resume, "resume", false, "continue the run in --output with its own configuration")
	f.BoolVar(&f.printConfig, "print-config", false, "print what would run, and where each value comes from")
	f.Var(cli.Device(&f.checked), checkDevice, "train a little on this device and on the CPU, compare, and do nothing else")
	f.Lookup(checkDevice).DefValue = "" // it is not given
	f.BoolVar(&f.json, "json", false, "print what --check-device finds as JSON")
	f.BoolVar(&f.checkData, "check-data", false, "look for all lists and images of the preset")
}

// data defines the flags on what to train on.
func (f *flags) data() {
	c := &f.config
	f.StringVar(&c.Train, "train", c.Train, "training images: list, folder, CIFAR or IDX `file`")
	f.StringVar(&c.Val, "val", c.Val, "validation images: list, folder, CIFAR or IDX `file`")
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "`folder` that the paths of an image list start from (default: the list's own)")
	f.StringVar(&c.Classes, "classes", c.Classes, "`file` with one class name a line (default: the class folders' names, or the labels' numbers)")
	f.IntVar(&c.ClassCount, "class-count", c.ClassCount, "number of classes; 0 is as many as there are names or training labels")
	f.IntVar(&c.TrainLimit, "train-limit", c.TrainLimit, "train on so many random images only; 0 is all")
	f.IntVar(&c.ValLimit, "val-limit", c.ValLimit, "validate on so many random images only; 0 is all")
	f.BoolVar(&c.SkipBroken, "skip-broken", c.SkipBroken, "go on past training and validation images that cannot be loaded, and count them")
	f.pre = imageflags.Add(f.FlagSet)
	f.StringVar(&c.Augment, "augment", c.Augment, "augmentation of training images: none, classic (flip, shift by up to 4 pixels),\n"+
		"largescale (random resized crop, flip), contrastive and contrastive-large (crop, flip, colours; for cider and npos)")
}

// onlyASCOOD begins the usage of flags that do nothing with another --method.
const onlyASCOOD = "ascood: "

// hyperparameters defines the flags on how to train.
func (f *flags) hyperparameters() {
	c := &f.config
	f.StringVar(&c.Method, "method", c.Method, "way to train: "+strings.Join(train.Methods(), ", ")+"; ce is the plain classifier")
	f.StringVar(&c.Arch, "arch", c.Arch, "architecture: "+strings.Join(models.Archs(), ", ")+"; resnet18 is\nthe preset's, or torchvision's resnet18_224x224")
	f.StringVar(&c.ONNX, "onnx", c.ONNX, "`file` of a classifier that another program has written as ONNX, to train in place of --arch")
	f.StringVar(&c.InputLayout, "input-layout", c.InputLayout, "where the network of --onnx has its input's channels, nchw or nhwc, if its shape does not tell")
	f.StringVar(&c.Channels, "channels", c.Channels, "what channels the network of --onnx takes: rgb, bgr or gray (default: rgb)")
	f.StringVar(&c.Logits, "logits", c.Logits, "`output` of --onnx, or value inside, that is the logits, if there are several or the last is none")
	f.StringVar(&c.Feature, "feature", c.Feature, "`value` in the network of --onnx, [N,D], that is its feature, if it does not end in a linear layer")
	f.StringVar(&c.Tap, "tap", c.Tap, "`name=value`: maps in the network of --onnx, [N,C,H,W], that methods know as stem or layer1 to layer4")
	f.IntVar(&c.Width, "width", c.Width, "channels of the first convolution; 0 is that of the pretrained weights, or the architecture's own")
	f.StringVar(&c.Pretrained, "pretrained", c.Pretrained, "`file` of weights to start from, of PyTorch or of ours; none is random ones")
	f.StringVar(&c.StateDict, "state-dict", c.StateDict, "`key` of the weights in the file of --pretrained, where several networks lie in it")
	f.BoolVar(&c.FreezeBatchNorm, "freeze-batch-norm", c.FreezeBatchNorm, "keep the running statistics of batch normalisation that the weights to start from have, and normalise by\nthem in training, too; scale and shift are trained")
	f.Float64Var(&c.Sigma, "sigma", c.Sigma, onlyASCOOD+"scale of the standardised feature")
	f.StringVar(&c.OODType, "ood-type", c.OODType, onlyASCOOD+"type of the outliers: "+strings.Join(train.OODTypes(), ", "))
	f.Float64Var(&c.PInv, "p-inv", c.PInv, onlyASCOOD+"share of the image, its most salient part unless --pixels says otherwise, that outliers change")
	f.StringVar(&c.Pixels, "pixels", c.Pixels, onlyASCOOD+"pixels that outliers of --ood-type shuffle change: "+strings.Join(train.PixelChoices(), ", "))
	f.StringVar(&c.Saliency, "saliency", c.Saliency, onlyASCOOD+"take the saliency of the network as it is used (eval), or as it is in training (train), whose\nrunning statistics then see each batch twice")
	f.Float64Var(&c.W, "w", c.W, onlyASCOOD+"weight of the outliers' loss")
	f.Float64Var(&c.AlphaMin, "alpha-min", c.AlphaMin, onlyASCOOD+"strength of the outliers in the last epoch (published: 30 for gradient, 0.1 for gaussian)")
	f.Float64Var(&c.AlphaMax, "alpha-max", c.AlphaMax, onlyASCOOD+"strength that the first epoch starts below (published: 300 for gradient, 0.1 for gaussian)")
	f.StringVar(&c.HeadFeature, "head-feature", c.HeadFeature, onlyASCOOD+"what the last layer takes: "+strings.Join(train.HeadFeatures(), ", ")+" (default: zscore)")
	f.StringVar(&c.OODLoss, "ood-loss", c.OODLoss, onlyASCOOD+"loss of the outliers: "+strings.Join(train.OODLosses(), ", ")+" (default: kl)")
	f.StringArrayVar(&f.set, "set", nil, "`name=value` of a hyperparameter of the method")
	f.StringVar(&c.Outliers, "outliers", c.Outliers, "images of other things to learn from, with --method "+strings.Join(train.Exposed(), " or ")+": list, folder, CIFAR or IDX `file`")
	f.StringVar(&c.OutlierDir, "outlier-dir", c.OutlierDir, "`folder` that the paths of a list of --outliers start from (default: that of --data-dir)")
	f.IntVar(&c.OutlierBatchSize, "outlier-batch-size", c.OutlierBatchSize, "outliers a step; 0 is as many as images")
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training images")
	f.IntVar(&c.BatchSize, "batch-size", c.BatchSize, "images a step; the last of an epoch may have fewer")
	f.Float64Var(&c.LR, "lr", c.LR, "learning rate at the start; it falls along a cosine to 1e-6")
	f.Float64Var(&c.FCLRFactor, "fc-lr-factor", c.FCLRFactor, "the last layer's learning rate relative to the others'")
	f.Float64Var(&c.Momentum, "momentum", c.Momentum, "Nesterov momentum")
	f.Float64Var(&c.WeightDecay, "weight-decay", c.WeightDecay, "weight decay, of all parameters")
	f.StringVar(&c.Precision, "precision", c.Precision, "of the backbone's activations in training: "+strings.Join(train.Precisions(), ", ")+"; weights, saliency, losses and\nvalidation are float32 always")
	f.BoolVar(&c.TF32, "tf32", c.TF32, "on a GPU: faster convolutions and matrix products, of inputs rounded to TF32")
	f.BoolVar(&c.Deterministic, "deterministic", c.Deterministic, "on a GPU: repeat a run's numbers wherever libtorch can; slower")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "decides all that is random")
}

// settle takes over what several flags say together.
func (f *flags) settle() error {
	var err error
	if f.config.Preprocess, err = f.pre.Over(f.base.config.Preprocess); err != nil {
		return err
	}
	if f.config.ONNX != "" && !f.Changed("arch") {
		f.config.Arch = "" // of a preset
	} else {
		f.config.Arch = f.arch()
	}
	if f.resume && f.config.Method != f.base.config.Method { // whose hyperparameters --set gives
		return f.contradictions()
	}
	if len(f.set) > 0 {
		if err := f.config.Assign(f.set); err != nil {
			return err
		}
	}
	if f.resume {
		return f.contradictions()
	}
	if f.Changed("seed") && len(f.seeds) > 0 {
		return cli.Usagef("--seed %d and --seeds: give one or the other", f.config.Seed)
	}
	if f.config.Method != train.MethodASCOOD && slices.Contains(train.Methods(), f.config.Method) {
		if err := f.withoutASCOOD(); err != nil {
			return err
		}
	}
	if f.options.Output == "" && f.config.Preset != "" {
		f.options.Output = f.results()
	}
	return nil
}

// arch returns the architecture that is meant by a name of several: that of the run or
// preset, else torchvision's.
func (f *flags) arch() string {
	archs, err := models.Resolve(f.config.Arch)
	switch {
	case err != nil: // told with all that is wrong
		return f.config.Arch
	case slices.Contains(archs, f.base.config.Arch):
		return f.base.config.Arch
	}
	return archs[0]
}

// withoutASCOOD names a flag that was given although another method does nothing
// with it.
func (f *flags) withoutASCOOD() error {
	var err error
	f.Visit(func(p *pflag.Flag) {
		if err == nil && strings.HasPrefix(p.Usage, onlyASCOOD) {
			err = cli.Usagef("--%s has no meaning with --method %s: leave it out, or train with --method %s",
				p.Name, f.config.Method, train.MethodASCOOD)
		}
	})
	return err
}
