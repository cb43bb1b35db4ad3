package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/onnx"
)

// mostChecked is how many images are classified in each way: enough to tell mistakes
// apart, which cost more than a point of accuracy.
const mostChecked = 1000

// mostRows is how many rows the table has, and one for what is given.
const mostRows = 10

// checker classifies labelled images by a model in several ways.
type checker struct {
	graph   *ioodin.Graph
	threads int
	data    dataset.Dataset
	given   way
	orders  []order
	each    func(n int)
}

// order is an order of the classes, by the label of each image that it gives.
type order struct {
	flags  string
	labels []int // dataset.Unlabelled where an image has none
}

// row is a line of the table: which images are classified as they are labelled.
type row struct {
	flags   string
	hits    []bool
	correct int
}

// check prints the accuracy of the model on labelled images, made its input as it was
// told to and in the ways in which that is most often meant otherwise, best first.
func (r *request) check(ctx context.Context, m *onnx.ModelProto, meta *artifact.Metadata, own []string, stdout, stderr io.Writer) error {
	data, orders, err := r.labelled(meta, own)
	if err != nil {
		return fmt.Errorf("--check: %w", err)
	}
	graph, err := ioodin.OpenGraph(m, meta, artifact.Image, []string{artifact.Logits}, ioodin.Options{Threads: r.threads})
	if err != nil {
		return err
	}
	defer graph.Close()
	c := &checker{graph: graph, threads: r.threads, data: data, given: way{Config: meta.Preprocess}, orders: orders}
	if r.foreign.file != "" {
		c.given.channels = r.foreign.channels
	}
	var finish func()
	c.each, finish = cli.Progress(stderr, data.Len()*(1+len(c.given.crops())), "checking")
	rows, err := c.rows(ctx)
	finish()
	if err != nil {
		return err
	}
	given := rows[0]
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.correct, a.correct) })
	table(stdout, r.checked, rows, given)
	warn(stderr, rows[0], given, len(meta.Classes))
	return nil
}

// labelled opens the images, a part of them spread evenly if they are many, and
// finds the orders of classes that may be meant, the one given first.
func (r *request) labelled(meta *artifact.Metadata, own []string) (dataset.Dataset, []order, error) {
	data, err := dataset.OpenFor(meta.Classes, r.checked, r.dataDir)
	if err != nil {
		return nil, nil, err
	}
	var picked []int
	for i := range data.Len() {
		if data.Label(i) != dataset.Unlabelled {
			picked = append(picked, i)
		}
	}
	if len(picked) == 0 {
		return nil, nil, ascood.Errorf(ascood.Invalid, "%s: no image has a label; want a folder for each class, or a list with labels", r.checked)
	}
	n := min(len(picked), mostChecked)
	for i := range n {
		picked[i] = picked[i*len(picked)/n]
	}
	data = dataset.Subset(data, picked[:n])
	if err := dataset.CheckFiles(data); err != nil {
		return nil, nil, err
	}
	orders, err := ordersOf(data, meta.Classes, own)
	return data, orders, err
}

// ordersOf returns the orders of classes that a data set's labels may follow: that of
// the model, that of the file's own names where others were given, and that of the
// folders' names, which torchvision goes by.
func ordersOf(data dataset.Dataset, classes, own []string) ([]order, error) {
	given, err := dataset.Relabel(data, classes)
	if err != nil {
		return nil, err
	}
	orders := []order{{labels: labelsOf(given)}}
	add := func(d dataset.Dataset, flags string) {
		labels := labelsOf(d)
		if !slices.ContainsFunc(orders, func(o order) bool { return slices.Equal(o.labels, labels) }) {
			orders = append(orders, order{flags, labels})
		}
	}
	if len(own) == len(classes) {
		if d, err := dataset.Relabel(data, own); err == nil {
			add(d, "without --classes: the file's own order")
		}
	}
	if len(dataset.Classes(data)) == len(classes) {
		add(data, "--classes with the folders in the order of their names")
	}
	for i, label := range orders[0].labels {
		if label >= len(classes) {
			return nil, ascood.Errorf(ascood.Invalid, "%s has label %d, but the model has %d classes", data.Name(i), label, len(classes))
		}
	}
	return orders, nil
}

func labelsOf(d dataset.Dataset) []int {
	labels := make([]int, d.Len())
	for i := range labels {
		labels[i] = d.Label(i)
	}
	return labels
}

// rows classifies the images in all ways: first with other numbers of the same crops,
// then with other crops in the best of these. The first row is what is given.
func (c *checker) rows(ctx context.Context) ([]row, error) {
	ways := c.given.inputs()
	rows, err := c.classify(ctx, ways)
	if err != nil {
		return nil, err
	}
	best := 0
	for i := range rows {
		if rows[i].correct > rows[best].correct {
			best = i
		}
	}
	for _, w := range ways[best/len(c.orders)].crops() {
		further, err := c.classify(ctx, []way{w})
		if err != nil {
			return nil, err
		}
		rows = append(rows, further...)
	}
	return rows, nil
}

// classify returns a row for each way and order. The crops of all ways must be the same.
func (c *checker) classify(ctx context.Context, ways []way) ([]row, error) {
	rows := make([]row, 0, len(ways)*len(c.orders))
	for _, w := range ways {
		for _, o := range c.orders {
			flags := w.flags(c.given)
			if flags != "" && o.flags != "" {
				flags += ", "
			}
			rows = append(rows, row{flags: flags + o.flags, hits: make([]bool, c.data.Len())})
		}
	}
	all := make([]int, c.data.Len())
	for i := range all {
		all[i] = i
	}
	load := dataset.LoadOptions{Config: ways[0].Config, BatchSize: ioodin.DefaultBatchSize(c.graph.Device(), ways[0].ImageSize, c.threads)}
	for batch, err := range dataset.Batches(ctx, c.data, all, load) {
		if err != nil {
			return nil, err
		}
		for i, w := range ways {
			predictions, err := c.predictions(ctx, w.input(batch.Pixels, c.given), w.ImageSize)
			if err != nil {
				return nil, err
			}
			for k, o := range c.orders {
				rows[i*len(c.orders)+k].count(batch.Indices, predictions, o.labels)
			}
		}
		c.each(len(batch.Indices))
	}
	return rows, nil
}

// predictions are the classes of the largest logits of images [N,3,size,size].
func (c *checker) predictions(ctx context.Context, images []float32, size int) ([]int, error) {
	n := len(images) / (3 * size * size)
	out, err := c.graph.Run(ctx, ioodin.Inputs{Value: ioodin.Tensor{Data: images, Shape: []int{n, 3, size, size}}})
	if err != nil {
		return nil, err
	}
	logits, predictions := out[artifact.Logits].Data, make([]int, n)
	for i := range predictions {
		z := logits[i*len(logits)/n : (i+1)*len(logits)/n]
		predictions[i] = slices.Index(z, slices.Max(z))
	}
	return predictions, nil
}

func (r *row) count(images, predictions, labels []int) {
	for k, i := range images {
		if predictions[k] == labels[i] {
			r.hits[i] = true
			r.correct++
		}
	}
}

// table writes the best rows, and the one of what is given.
func table(w io.Writer, images string, rows []row, given row) {
	n := len(given.hits)
	fmt.Fprintf(w, "accuracy on %d images of %s, with these flags changed, best first:\n", n, images)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	shown := false
	for i, r := range rows {
		isGiven := r.flags == ""
		if i >= mostRows && !isGiven {
			continue
		}
		if shown = shown || isGiven; isGiven {
			r.flags = "as given"
		}
		fmt.Fprintf(t, "  %.2f%%\t%s\n", 100*float64(r.correct)/float64(n), r.flags)
	}
	t.Flush()
}

// warn names a way that is better than the given by more than chance: of images that
// only one of two ways classifies rightly, half fall to either if they are alike, with a
// standard deviation of half the root of their number (McNemar). Three of these are
// asked for, since the best of many is compared.
func warn(w io.Writer, best, given row, classes int) {
	only := map[[2]bool]int{}
	for i, hit := range best.hits {
		only[[2]bool{hit, given.hits[i]}]++
	}
	more, less := only[[2]bool{true, false}], only[[2]bool{false, true}]
	if float64(more-less) > 3*math.Sqrt(float64(more+less)) {
		fmt.Fprintf(w, "Warning: %d images are classified rightly as given, and %d with %s: was the network trained so?\n", given.correct, best.correct, best.flags)
		return
	}
	modelflags.Accuracy{Correct: given.correct, Labelled: len(given.hits)}.Warn(w, classes)
}
