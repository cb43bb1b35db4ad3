package train

import (
	"path/filepath"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/gotorch"
	"github.com/ascood/ascood/models"
	"github.com/ascood/ascood/runs"
)

// run is a training in progress.
type run struct {
	config  Config
	options Options
	images  *images
	input   input
	learner *learner
	load    dataset.LoadOptions
	others  exposure
	at      position
	queued  *queued // the last step, while its outcome is not in at; nil if there is none
	metrics *metrics
}

// prepare opens all that a run needs; the network belongs to scope.
func prepare(scope *gotorch.Scope, c Config, o Options, saved *saved) (*run, error) {
	r := &run{config: c, options: o}
	var err error
	if r.images, err = openImages(c); err != nil {
		return nil, err
	}
	augment, err := c.Preprocess.Augmentation(c.Augment)
	if err != nil {
		return nil, err
	}
	r.load = dataset.LoadOptions{Config: c.Preprocess, Augment: augment, BatchSize: c.BatchSize, Workers: o.Workers, Seed: c.Seed, KeepGoing: c.SkipBroken}
	r.others = newExposure(c, r.images.outliers, r.load)
	if m, err := c.method(); err != nil {
		return nil, err
	} else if m, ok := m.(viewer); ok {
		r.load.Further = m.further()
	}
	device, err := openDevice(o.Device, o.Log)
	if err != nil {
		return nil, err
	}
	if err := gotorch.SetNumThreads(o.Threads); err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%s: %w", ascood.Field("threads"), err)
	}
	if err := setFlags(c, device, o.Log); err != nil {
		return nil, err
	}
	if c.Precision == BF16 {
		if err := tryBF16(device); err != nil {
			return nil, err
		}
	}
	if err := r.prepareLearner(scope, device, saved); err != nil {
		return nil, err
	}
	if r.metrics, err = openMetrics(filepath.Join(o.Output, runs.MetricsFile), r.at.Epochs); err != nil {
		return nil, err
	}
	r.input = newInput(scope, c.Preprocess, place(device, c))
	return r, scope.Err()
}

// prepareLearner builds the network from the start's or the saved weights.
func (r *run) prepareLearner(scope *gotorch.Scope, device gotorch.Device, saved *saved) error {
	graph, state, err := r.begin(saved)
	if err != nil {
		return err
	}
	net, err := newNetwork(scope, graph, state, place(device, r.config))
	if err != nil {
		return err
	}
	if r.config.FreezeBatchNorm {
		if err := net.freezeBatchNorm(); err != nil {
			return err
		}
	}
	r.announce(net, device)
	if r.learner, err = newLearner(r.config, net, r.config.Preprocess.ImageSize, r.config.Epochs*r.stepsPerEpoch()); err != nil {
		return err
	}
	if saved != nil {
		return saved.restore(r.learner)
	}
	return nil
}

// begin returns the network with the weights that it begins with: the saved
// ones, or random ones with those of the pretrained that fit.
func (r *run) begin(saved *saved) (*models.Network, checkpoint.StateDict, error) {
	if saved != nil {
		if err := saved.check(r.images); err != nil {
			return nil, nil, err
		}
		r.at = saved.at
		if r.config.ONNX != "" {
			graph, err := saved.graph()
			return graph, saved.model, err
		}
		graph, err := r.graph()
		return graph, saved.model, err
	}
	if r.config.ONNX != "" {
		return r.adopt()
	}
	weights, err := r.openPretrained()
	if err != nil {
		return nil, nil, err
	}
	graph, err := r.graph()
	if err != nil {
		return nil, nil, err
	}
	state := initial(graph, r.config.scales(), r.config.Seed)
	if weights != nil {
		if err := graph.CheckSize(weights.state.Shapes()); err != nil {
			return nil, nil, ascood.Errorf(ascood.Invalid, "%s: %w", ascood.Field("pretrained"), err)
		}
		weights.into(state, graph).log(r.options.Log, weights)
	}
	return graph, state, nil
}

// openPretrained returns the weights to start from, nil for none. They decide
// the network's width.
func (r *run) openPretrained() (*pretrained, error) {
	if p := r.config.Pretrained; p == "" || p == NotPretrained {
		return nil, nil
	}
	weights, err := openPretrained(r.config)
	if err != nil {
		return nil, err
	}
	r.config.Width, err = weights.width(r.config)
	return weights, err
}

// graph is the network for the classes and the image size of the run.
func (r *run) graph() (*models.Network, error) {
	return models.New(r.config.spec(len(r.images.classes)), r.config.Preprocess.ImageSize)
}

// announce logs what a run works on.
func (r *run) announce(net *network, device gotorch.Device) {
	spec := net.Spec
	r.options.Log.Info("network", "arch", spec.Arch, "width", spec.Width, "head", spec.Head,
		"classes", spec.Classes, "parameters", net.size(), "device", device, "precision", r.config.Precision, "threads", r.options.Threads)
	r.options.Log.Info("images", "train", r.images.train.Len(), "val", r.images.val.Len(),
		"size", r.config.Preprocess.ImageSize, "steps_per_epoch", r.stepsPerEpoch())
}

// stepsPerEpoch counts the last batch, which may be smaller, as the references do.
func (r *run) stepsPerEpoch() int {
	return (r.images.train.Len() + r.config.BatchSize - 1) / r.config.BatchSize
}
