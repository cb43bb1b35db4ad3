// Command benchserve measures ascood-serve under load, over the loopback interface,
// beside bare loops over the same model with the same images.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/ioodin"
)

const usage = `benchserve [flags] [-- flags of ascood-serve]

Prints, for bare loops over the model and for ascood-serve, what they achieve, as lines of
a Go benchmark: images a second, latency, requests rejected and late, and peak memory. The closed loops have a number of
clients that each wait for their answer; the open one sends four times as many requests
a second as the fastest closed loop has achieved, whatever comes back. Clients and
server share the cores.
`

type options struct {
	bin, model string
	photos     int
	duration   time.Duration
	timeout    time.Duration
	server     []string // flags of ascood-serve
}

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{duration: 8 * time.Second, timeout: 20 * time.Second}
	fs := cli.NewFlags("benchserve", usage, stdout)
	fs.StringVar(&o.bin, "bin", "bin", "`folder` of the programs")
	fs.StringVar(&o.model, "model", "", "artifact `file`; without one, the reference ResNet-18 of 6 channels, at 224x224 pixels")
	fs.Var(cli.Int(&o.photos, 1, 10_000), "photos", "how many `photographs`, of 640x480 pixels, to make up")
	fs.Var(cli.Duration(&o.duration, time.Second, time.Hour), "duration", "length of each measurement")
	fs.Var(cli.Duration(&o.timeout, time.Second, time.Hour), "timeout", "of a request, as the server's --timeout")
	o.photos = 40
	if err := cli.Parse(fs, args, true); err != nil {
		return err
	}
	o.server = fs.Args()
	folder, err := os.MkdirTemp("", "benchserve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	files, err := photographs(filepath.Join(folder, "photos"), o.photos)
	if err != nil {
		return err
	}
	if o.model == "" {
		o.model = filepath.Join(folder, "model.onnx")
		if err := export(ctx, o, filepath.Join(folder, "photos"), stderr); err != nil {
			return err
		}
	}
	return measure(ctx, o, files, stdout, stderr)
}

// measure prints a line for each measurement, in the form of Go's benchmarks.
func measure(ctx context.Context, o options, files [][]byte, stdout, stderr io.Writer) error {
	decoded, decoding, err := bare(ctx, o, files)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "BenchmarkBare/images_decoded_before 1 %.1f images/s\n", decoded)
	fmt.Fprintf(stdout, "BenchmarkBare/decoding 1 %.1f images/s\n", decoding)
	s, err := start(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer s.stop()
	peak := 0.0
	for _, clients := range []int{1, 2, 8, 32} {
		r := closed(ctx, s.url, files, clients, o.duration)
		fmt.Fprintf(stdout, "BenchmarkServer/clients=%d 1 %s %d peak-MiB\n", clients, r, s.peak())
		peak = max(peak, r.rate())
	}
	over := open(ctx, s.url, files, 4*peak, o)
	fmt.Fprintf(stdout, "BenchmarkServer/%.0f_requests_a_second 1 %s %d peak-MiB\n", 4*peak, over, s.peak())
	return nil
}

// bare runs the model without a server, in the batches that suit it: on images that
// are decoded already, and decoding them on all cores before each batch.
func bare(ctx context.Context, o options, files [][]byte) (decoded, decoding float64, err error) {
	model, err := ioodin.Open(o.model, ioodin.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer model.Close()
	crops, err := crop(ctx, model, files)
	if err != nil {
		return 0, 0, err
	}
	size := min(model.BatchSize(), len(files))
	decoded, err = loop(o.duration, len(files), size, func(from, to int) error {
		_, err := model.Score(ctx, crops[from:to])
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	decoding, err = loop(o.duration, len(files), size, func(from, to int) error {
		crops, err := crop(ctx, model, files[from:to])
		if err == nil {
			_, err = model.Score(ctx, crops)
		}
		return err
	})
	return decoded, decoding, err
}

// loop calls batch with one range of n images after another, and returns how many
// images it got through in a second.
func loop(duration time.Duration, n, size int, batch func(from, to int) error) (float64, error) {
	if err := batch(0, size); err != nil { // what is slow once
		return 0, err
	}
	start, done, at := time.Now(), 0, 0
	for time.Since(start) < duration {
		to := min(at+size, n)
		if err := batch(at, to); err != nil {
			return 0, err
		}
		done += to - at
		at = to % n
	}
	return float64(done) / time.Since(start).Seconds(), nil
}
