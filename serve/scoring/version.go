package scoring

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
	"github.com/ascood/ascood/serve/drift"
)

// Model is what is asked of an *ioodin.Model.
type Model interface {
	Info() artifact.Metadata
	Settings() artifact.Score
	Device() ascood.Device
	BatchSize() int    // images to score at once, unless told
	BatchSizes() []int // that batches are padded to; none if they run as they are
	Outputs() []ioodin.Signature
	Score(ctx context.Context, crops [][]uint8) ([]ioodin.Result, error)
	Details(ctx context.Context, crops [][]uint8) ([]ioodin.Result, []map[string]ioodin.Output, error)
	Close() error
}

// Version is a model as it was loaded from a file. Whoever acquired it (Models.Acquire)
// scores with it, whatever is loaded in its place meanwhile, until it is released.
type Version struct {
	models      *Models
	name        string
	model       Model
	calibration *artifact.Calibration
	decoder     *decoder
	batcher     *batcher
	metrics     *modelMetrics
	drift       *drift.Watch
	detailed    detailed
	users       sync.WaitGroup
}

// newVersion makes a version of a model, which must be calibrated: without that there
// are no verdicts. An error leaves the model open.
func newVersion(ctx context.Context, m *Models, f file, model Model) (*Version, error) {
	info := model.Info()
	calibration, err := info.CalibrationOf(model.Settings())
	if err != nil {
		return nil, err
	}
	batch := m.limits.batch(model)
	if err := selfTest(ctx, model, batch); err != nil {
		return nil, err
	}
	own := m.metrics.of(f.name, calibration)
	own.byClass = len(info.Classes) <= mostClasses
	return &Version{
		models: m, name: f.name, model: model, calibration: calibration, decoder: m.decoder, metrics: own,
		batcher:  newBatcher(model, false, batch, workers(model.Device()), own, m.lose),
		drift:    drift.NewWatch(m.limits.Drift, calibration.Samples, calibration.Classes),
		detailed: detailed{models: m, file: f, metrics: own},
	}, nil
}

// selfTest scores a test image in batches of each size that there will be, so that a
// model that cannot run is found before a client asks for it, and nobody waits for
// what is loaded, planned and allocated at first use.
func selfTest(ctx context.Context, model Model, maxBatch int) error {
	sizes := []int{1, maxBatch}
	if padded := model.BatchSizes(); len(padded) > 0 {
		sizes = nil
		for _, size := range padded {
			sizes = append(sizes, min(size, maxBatch))
		}
	}
	for _, n := range slices.Compact(sizes) {
		err := Guard(func() error {
			_, err := model.Score(ctx, slices.Repeat([][]uint8{testImage(model.Info().Preprocess)}, n))
			return err
		})
		if err != nil {
			return errors.Join(errSelfTest, err)
		}
	}
	return nil
}

// errSelfTest is the first line of the error of a model that cannot score.
var errSelfTest = errors.New("the model cannot score the test image")

// testImage is a crop in which all levels of each channel occur, in another direction
// each.
func testImage(c preprocess.Config) []uint8 {
	crop := make([]uint8, 0, c.CropLen())
	last := max(1, c.ImageSize-1)
	for y := range c.ImageSize {
		for x := range c.ImageSize {
			crop = append(crop, uint8(255*x/last), uint8(255*y/last), uint8(255*(last-x)/last))
		}
	}
	return crop
}

// Name returns the name that the model is served by.
func (v *Version) Name() string { return v.name }

// Info returns what the model says about itself.
func (v *Version) Info() artifact.Metadata { return v.model.Info() }

// Settings returns the score in use.
func (v *Version) Settings() artifact.Score { return v.model.Settings() }

// Outputs describes the outputs of the artifact.
func (v *Version) Outputs() []ioodin.Signature { return v.model.Outputs() }

// Device returns what the model runs on.
func (v *Version) Device() ascood.Device { return v.model.Device() }

// Calibration returns what the verdicts follow.
func (v *Version) Calibration() *artifact.Calibration { return v.calibration }

// Drift describes the images that it has answered of late.
func (v *Version) Drift() drift.Report { return v.drift.Report(len(v.Info().Classes)) }

// Release ends the use of a version that was acquired.
func (v *Version) Release() { v.users.Done() }

// retire frees a version once its users have released it.
func (v *Version) retire() error {
	v.users.Wait()
	return v.close()
}

// close frees the model after the batches in work. What waits is refused.
func (v *Version) close() error {
	v.batcher.close()
	err := v.detailed.close()
	v.users.Wait()
	return errors.Join(err, v.model.Close())
}

// Result is a verdict about an image, and its grounds.
type Result struct {
	artifact.Decision
	ioodin.Result
	Class   string // name of the most likely class, "" for one that the model does not name
	Times   Times
	Details *Details // nil unless they were asked for
}

// Details are what a verdict can be explained by.
type Details struct {
	Crop    []uint8                  // what the network has seen of the image, [S,S,3]
	Outputs map[string]ioodin.Output // of the artifact, by name
}

// Image is one to be scored: a file, or what the network takes, uint8 [S,S,3].
type Image struct{ File, Crop []uint8 }

// Times says where an image's time went.
type Times struct{ Waiting, Decoding, Inference time.Duration }

// Score decodes an image, unless it is a crop already, scores and judges it. Details are
// of the same run of the network.
func (v *Version) Score(ctx context.Context, image Image, details bool) (*Result, error) {
	var t Times
	crop, err := image.Crop, error(nil)
	if crop == nil {
		crop, err = v.decoder.crop(ctx, v.Info().Preprocess, image.File, &t)
	}
	if want := v.Info().Preprocess.CropLen(); err == nil && len(crop) != want {
		err = ascood.Errorf(ascood.Invalid, "%d bytes are no image: the model takes %d", len(crop), want)
	}
	if err != nil {
		v.count(err)
		return nil, err
	}
	b := v.batcher
	if details {
		if b, err = v.detailed.batcher(ctx); err != nil {
			return nil, err
		}
	}
	o, err := b.score(ctx, crop, &t)
	if err != nil {
		return nil, err
	}
	r := v.judge(o.result)
	r.Times = t
	if details {
		r.Details = &Details{crop, o.extra}
	}
	v.metrics.answered(r)
	if observe := v.models.observe; observe != nil && image.File != nil {
		observe(v, image.File, r)
	}
	v.drift.Add(r.PValue, r.Verdict == artifact.OutOfDistribution, r.Prediction)
	return r, nil
}

// judge says what a score means.
func (v *Version) judge(scored ioodin.Result) *Result {
	r := &Result{Decision: v.calibration.Decide(scored.Score), Result: scored}
	if classes := v.Info().Classes; r.Prediction >= 0 && r.Prediction < len(classes) {
		r.Class = classes[r.Prediction]
	}
	return r
}

// count counts an image that is wrong.
func (v *Version) count(err error) {
	if IsImageError(err) {
		v.metrics.images.WithLabelValues(string(ascood.CodeOf(err))).Inc()
	}
}

// IsImageError reports whether it is the image that is wrong, and not the request
// or the server.
func IsImageError(err error) bool {
	switch ascood.CodeOf(err) {
	case ascood.Invalid, ascood.TooLarge, ascood.Unsupported:
		return true
	}
	return false
}
