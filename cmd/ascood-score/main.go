// Command ascood-score scores image files with an exported model.
package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/ioodin"
)

const usage = `ascood-score says of each image what class it is, how in-distribution it looks,
and whether it is in or out of distribution, as CSV.

  ascood-score --model model.onnx shirt.png digit.png
  ascood-score --model model.onnx --imglist test.txt --data-dir images -o scores.csv
  ascood-score --model model.onnx --check-device cuda

Standard output gets a whole row as soon as an image is scored; a file given by
-o appears when all are. It exits with 0 only if every image was scored.
`

func main() {
	// A pipe that closes is an error to report, not a silent end.
	signal.Ignore(syscall.SIGPIPE)
	cli.Main(run)
}

// flags is the command line.
type flags struct {
	*pflag.FlagSet
	model, output, imglist, dataDir string
	score                           *modelflags.Score
	compute                         *modelflags.Compute
	batch                           int

	checked ascood.Device // to check instead of scoring
	json    bool
}

const checkDevice = "check-device"

func newFlags(stdout io.Writer) *flags {
	fs := cli.NewFlags("ascood-score", usage, stdout)
	f := &flags{FlagSet: fs}
	fs.StringVar(&f.model, "model", "", "artifact `file` that ascood-export wrote")
	fs.StringVarP(&f.output, "output", "o", "", "`file` for the CSV (default: standard output)")
	fs.StringVar(&f.imglist, "imglist", "", "images to score: list, folder or IDX `file`, in place of files named one by one")
	fs.StringVar(&f.dataDir, "data-dir", "", "`folder` that the paths of an image list start from (default: the list's own)")
	f.score = modelflags.AddScore(fs, "the artifact's")
	f.compute = modelflags.AddCompute(fs, "cpu")
	fs.IntVar(&f.batch, "batch-size", 0, "images scored at once; 0 is what suits their size and the device")
	fs.Var(cli.Device(&f.checked), checkDevice, "compare this device with the CPU on the model, and on the images if there are any, and do nothing else")
	fs.Lookup(checkDevice).DefValue = "" // it is not given
	fs.BoolVar(&f.json, "json", false, "print what --check-device finds as JSON")
	return f
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags(stdout)
	if err := cli.Parse(f.FlagSet, args, true); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if f.Changed(checkDevice) {
		return f.reportDevice(ctx, stdout, stderr)
	}
	m, err := f.compute.Open(f.model, f.score, cli.Logger(stderr))
	if err != nil {
		return err
	}
	defer m.Close()
	data, err := f.images(m.Info().Classes)
	if err != nil {
		return err
	}
	if _, err := m.Calibration(); err != nil {
		fmt.Fprintf(stderr, "no p-values and verdicts: %v\n", err)
	}
	out, err := create(f.output, stdout)
	if err != nil {
		return err
	}
	defer out.Discard()
	failed, err := scoreAll(ctx, m, data, f.batch, out, stderr)
	if err != nil {
		return err
	}
	if err := out.Commit(); err != nil {
		return err
	}
	if failed > 0 {
		return ascood.Errorf(ascood.Invalid, "%d of %d images could not be scored; the column error says why", failed, data.Len())
	}
	return nil
}

// check reports a command line that cannot be meant.
func (f *flags) check() error {
	if err := cli.Require(f.FlagSet, "model"); err != nil {
		return err
	}
	if err := cli.OnlyWith(f.FlagSet, "imglist", "data-dir"); err != nil {
		return err
	}
	if err := cli.OnlyWith(f.FlagSet, checkDevice, "json"); err != nil {
		return err
	}
	switch {
	case f.imglist != "" && f.NArg() > 0:
		return cli.Usagef("give image files or --imglist, not both")
	case f.imglist == "" && f.NArg() == 0 && !f.Changed(checkDevice):
		return cli.Usagef("no images: give image files or --imglist")
	case f.batch < 0:
		return cli.Usagef("--batch-size %d: must be at least 1, or 0 for what suits", f.batch)
	}
	if f.output != "" {
		return atomicfile.Check(f.output, append(f.Args(), f.model, f.imglist)...)
	}
	return nil
}

// reportDevice prints how scoring on a device compares with the CPU's. It fails if
// something is missing or they are too far apart.
func (f *flags) reportDevice(ctx context.Context, stdout, stderr io.Writer) error {
	if err := cli.OnlyBeside(f.FlagSet, checkDevice, "model", "imglist", "data-dir", "score", "temperature", "noise", "threads", "json"); err != nil {
		return err
	}
	var images dataset.Dataset
	if f.imglist != "" || f.NArg() > 0 {
		var err error
		if images, err = f.images(nil); err != nil {
			return err
		}
	}
	report, err := f.compute.CheckDevice(ctx, f.checked, f.model, f.score, images, cli.Logger(stderr))
	if err != nil {
		return err
	}
	return report.Print(stdout, f.json)
}

// images returns those that the words or --imglist name, for a model with the classes.
// Class folders that are named otherwise keep the numbers of their order.
func (f *flags) images(classes []string) (dataset.Dataset, error) {
	if f.imglist == "" {
		return dataset.OpenFiles(f.Args()), nil
	}
	d, err := dataset.OpenFor(classes, f.imglist, f.dataDir)
	if err != nil {
		return nil, err
	}
	if of, err := dataset.Relabel(d, classes); err == nil {
		d = of
	}
	return d, nil
}

// output is where the CSV goes: a file that appears when it is complete, or a
// stream.
type output interface {
	io.Writer
	Discard()
	Commit() error
}

type stream struct{ io.Writer }

func (stream) Discard()      {}
func (stream) Commit() error { return nil }

func create(path string, stdout io.Writer) (output, error) {
	if path == "" {
		return stream{stdout}, nil
	}
	return atomicfile.Create(path)
}

// columns of the CSV. A field that an image does not have is empty.
var columns = []string{"image", "label", "prediction", "class", "score", "p_value", "verdict", "error"}

// scoreAll writes a row an image and returns how many could not be scored. Rows
// are written whole, so that what is there after an error or a signal can be read.
func scoreAll(ctx context.Context, m *ioodin.Model, data dataset.Dataset, batch int, out, stderr io.Writer) (failed int, err error) {
	w := csv.NewWriter(out)
	write := func(fields []string) error {
		w.Write(fields)
		w.Flush()
		if err := w.Error(); err != nil {
			return ascood.Errorf(ascood.Invalid, "cannot write the CSV: %w", err)
		}
		return nil
	}
	if err := write(columns); err != nil {
		return 0, err
	}
	add, finish := cli.Progress(stderr, data.Len(), "scoring")
	defer finish()
	done := 0
	for image, err := range m.Scan(ctx, data, ioodin.ScanOptions{BatchSize: batch, KeepGoing: true}) {
		if err != nil {
			return failed, fmt.Errorf("stopped after %d of %d images: %w", done, data.Len(), err)
		}
		if image.Err != nil {
			failed++
			fmt.Fprintf(stderr, "%v\n", image.Err)
		}
		if err := write(row(m, data, image)); err != nil {
			return failed, err
		}
		done++
		add(1)
	}
	return failed, nil
}

// row is an image's line of the CSV.
func row(m *ioodin.Model, data dataset.Dataset, image ioodin.Scanned) []string {
	label := ""
	if l := data.Label(image.Index); l != dataset.Unlabelled {
		label = strconv.Itoa(l)
	}
	fields := []string{data.Name(image.Index), label, "", "", "", "", "", ""}
	if image.Err != nil {
		fields[7] = image.Err.Error()
		return fields
	}
	fields[2] = strconv.Itoa(image.Prediction)
	fields[3] = m.Info().Classes[image.Prediction]
	fields[4] = format(image.Score)
	if c, err := m.Calibration(); err == nil {
		d := c.Decide(image.Score)
		fields[5], fields[6] = format(d.PValue), string(d.Verdict)
	}
	return fields
}

// format writes a number with as many digits as tell it apart from its float32
// neighbours.
func format(v float64) string { return strconv.FormatFloat(v, 'g', 9, 64) }
