// Command ascood-eval measures an exported model on in- and out-of-distribution
// images.
package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/eval"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
	"github.com/ascood/ascood/preprocess"
)

const usage = `ascood-eval scores in-distribution images and sets of others, and prints how well
the score tells them apart: OpenOOD's FPR@95, AUROC, AUPR and accuracy, in percent.

  ascood-eval --model model.onnx --id test.txt --near cifar100=c100.txt --far mnist=mnist.txt --data-root images
`

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := cli.NewFlags("ascood-eval", usage, stdout)
	model := fs.String("model", "", "artifact `file` that ascood-export wrote")
	id := fs.String("id", "", "labelled in-distribution test images: list, folder or IDX `file`")
	near := fs.StringArray("near", nil, "near-OOD images as `name=file`; may be repeated")
	far := fs.StringArray("far", nil, "far-OOD images as `name=file`; may be repeated")
	root := fs.String("data-root", "", "`folder` that the paths of image lists start from (default: the list's own)")
	score := cli.AddScore(fs, "the artifact's")
	device := cli.AddDevice(fs, "cpu")
	threads := fs.Int("threads", 0, "threads to compute with; 0 is one a core")
	batch := fs.Int("batch-size", ioodin.DefaultBatchSize, "images scored at once")
	if err := cli.Parse(fs, args, false); err != nil {
		return err
	}
	if err := cli.Require(fs, "model", "id"); err != nil {
		return err
	}
	if len(*near)+len(*far) == 0 {
		return cli.Usagef("no OOD images: give --near or --far")
	}
	if *batch < 1 {
		return cli.Usagef("--batch-size %d: must be at least 1", *batch)
	}
	idSet, err := openSet("id", *id, *root)
	if err != nil {
		return err
	}
	nearSets, err := openSets("near", *near, *root)
	if err != nil {
		return err
	}
	farSets, err := openSets("far", *far, *root)
	if err != nil {
		return err
	}
	m, err := cli.OpenModel(*model, score, *device, *threads, cli.Logger(stderr))
	if err != nil {
		return err
	}
	defer m.Close()

	e := evaluation{model: m, batch: *batch, stderr: stderr}
	if e.id, err = e.score(ctx, idSet); err != nil {
		return err
	}
	nearRows, err := e.rows(ctx, nearSets)
	if err != nil {
		return err
	}
	farRows, err := e.rows(ctx, farSets)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s on %s, %d ID images\n", m.Settings(), m.Info().Name, idSet.images.Len())
	return eval.WriteTable(stdout, eval.Table(nearRows, farRows))
}

// set is a dataset with its name in the table.
type set struct {
	name   string
	images preprocess.Dataset
}

func openSet(name, path, root string) (set, error) {
	d, err := preprocess.Open(path, root)
	return set{name, d}, err
}

// openSets opens what a flag names as name=path.
func openSets(flag string, specs []string, root string) ([]set, error) {
	var sets []set
	for _, spec := range specs {
		name, path, ok := strings.Cut(spec, "=")
		if !ok || name == "" || path == "" {
			return nil, cli.Usagef("--%s %s: want name=file", flag, spec)
		}
		s, err := openSet(name, path, root)
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "--%s %s: %w", flag, name, err)
		}
		sets = append(sets, s)
	}
	return sets, nil
}

// evaluation compares sets with the scores of the ID images.
type evaluation struct {
	model  *ioodin.Model
	batch  int
	stderr io.Writer
	id     eval.Scores
}

func (e *evaluation) score(ctx context.Context, s set) (eval.Scores, error) {
	add, finish := cli.Progress(e.stderr, s.images.Len(), s.name)
	defer finish()
	return eval.Score(ctx, e.model, s.images, e.batch, add)
}

func (e *evaluation) rows(ctx context.Context, sets []set) ([]eval.Row, error) {
	var rows []eval.Row
	for _, s := range sets {
		ood, err := e.score(ctx, s)
		if err != nil {
			return nil, err
		}
		m, err := eval.Compute(e.id.Values, ood.Values, e.id.Correct)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, eval.Row{Name: s.name, Metrics: m})
	}
	return rows, nil
}
