package train

import (
	"context"
	"iter"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/preprocess"
)

// exposure is a second stream of images beside the training images: those of
// Config.Outliers, shuffled and cycled, as they are for testing.
type exposure struct {
	images dataset.Dataset // nil for none
	load   dataset.LoadOptions
	seed   uint64
}

// openExposure opens the outliers. Training images among them are an error that names
// some.
func openExposure(c Config, trained dataset.Dataset) (dataset.Dataset, error) {
	if c.Outliers == "" {
		return nil, nil
	}
	root := c.OutlierDir
	if root == "" {
		root = c.DataDir
	}
	d, err := dataset.Open(c.Outliers, root)
	if err != nil {
		return nil, ascood.In("outliers", err)
	}
	if d.Len() == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s %s has no images", ascood.Field("outliers"), c.Outliers)
	}
	return d, distinct(d, trained)
}

// distinct reports outliers that are training images.
func distinct(outliers, trained dataset.Dataset) error {
	known := map[string]int{}
	for i := range trained.Len() {
		known[locate(trained, i)] = i
	}
	var both []string
	for i := range outliers.Len() {
		k, ok := known[locate(outliers, i)]
		if !ok {
			continue
		}
		same, err := isFile(outliers, i), error(nil)
		if !same {
			same, err = alike(outliers, i, trained, k)
		}
		if err != nil {
			return ascood.In("outliers", err)
		}
		if same {
			both = append(both, outliers.Name(i))
		}
	}
	if len(both) == 0 {
		return nil
	}
	const most = 3
	return ascood.Errorf(ascood.Invalid, "%d of the %d images of %s are training images, as %s: leave them out",
		len(both), outliers.Len(), ascood.Field("outliers"), strings.Join(both[:min(most, len(both))], ", "))
}

// locate tells where an image lies: by its file or, within a file of many, its name there, which
// the files of several data sets may share.
func locate(d dataset.Dataset, i int) string {
	if !isFile(d, i) {
		return d.Name(i)
	}
	path, err := filepath.Abs(d.(dataset.Filer).File(i))
	if err != nil {
		return d.Name(i)
	}
	return path
}

func isFile(d dataset.Dataset, i int) bool {
	f, ok := d.(dataset.Filer)
	return ok && f.File(i) != ""
}

// alike compares two images.
func alike(a dataset.Dataset, i int, b dataset.Dataset, k int) (bool, error) {
	x, err := a.Load(context.Background(), i, preprocess.Reading{})
	if err != nil {
		return false, err
	}
	y, err := b.Load(context.Background(), k, preprocess.Reading{})
	return err == nil && reflect.DeepEqual(x, y), err
}

// newExposure is the stream of a configuration.
func newExposure(c Config, d dataset.Dataset, load dataset.LoadOptions) exposure {
	load.Augment, load.Further = nil, 0
	load.Epoch = 0
	if load.BatchSize = c.OutlierBatchSize; load.BatchSize == 0 {
		load.BatchSize = c.BatchSize
	}
	return exposure{d, load, c.Seed}
}

// batches yields the batches of so many steps from a step of the run on.
func (e exposure) batches(ctx context.Context, from, steps int) iter.Seq2[dataset.Batch, error] {
	if e.images == nil {
		return func(yield func(dataset.Batch, error) bool) {
			for range steps {
				if !yield(dataset.Batch{}, nil) {
					return
				}
			}
		}
	}
	return dataset.Batches(ctx, e.images, e.order(from*e.load.BatchSize, steps*e.load.BatchSize), e.load)
}

// order returns so many indices from a place in the stream on: all outliers in a random
// order, again in another, and so on.
func (e exposure) order(from, count int) []int {
	var order []int
	for n := e.images.Len(); len(order) < count; {
		at := from + len(order)
		pass := random(e.seed, forExposure, at/n).Perm(n)[at%n:]
		order = slices.Concat(order, pass[:min(len(pass), count-len(order))])
	}
	return order
}
