package main

import (
	"io"
	"log/slog"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/serve"
)

const usage = `ascood-serve --model model.onnx [flags]

Answers over HTTP whether images are in or out of the distribution that a model
was trained on. The model is a file that ascood-export wrote with --calibrate.

  curl -F image=@photo.jpg http://127.0.0.1:8080/v1/score
  curl --data-binary @photo.jpg http://127.0.0.1:8080/v1/score

GET / is a page for trying it out; /livez, /readyz, /v1/models and /metrics are
for operators. SIGINT or SIGTERM lets the requests in flight finish.
`

type options struct {
	model, addr string
	device      *string
	threads     int
	score       *cli.ScoreFlags
	limits      serve.Config
}

// parse reads the command line.
func parse(args []string, stdout, stderr io.Writer) (*options, error) {
	o := &options{limits: serve.DefaultConfig()}
	fs := cli.NewFlags("ascood-serve", usage, stdout)
	fs.StringVar(&o.model, "model", "", "artifact `file` that ascood-export wrote with --calibrate")
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 picks a free one")
	o.device = cli.AddDevice(fs, "auto")
	fs.IntVar(&o.threads, "threads", 0, "threads to compute with; 0 is one a core")
	o.score = cli.AddScore(fs, "the artifact's")

	c := &o.limits
	body := fs.Int64("max-body", c.MaxBody>>20, "largest request, `MiB`")
	pixels := fs.Float64("max-megapixels", float64(c.MaxPixels)/1e6, "largest image, `millions` of pixels by its header")
	fs.IntVar(&c.MaxImages, "max-images", c.MaxImages, "most images in a request")
	fs.IntVar(&c.MaxRequests, "max-requests", c.MaxRequests, "most requests in work at once; others are told to retry")
	fs.IntVar(&c.MaxBatch, "max-batch", c.MaxBatch, "most images that share a run of the network")
	fs.DurationVar(&c.Timeout, "timeout", c.Timeout, "longest time for a request, its upload included")
	fs.DurationVar(&c.DrainDelay, "drain-delay", c.DrainDelay, "at shutdown, time to go on serving while /readyz fails")
	fs.DurationVar(&c.DrainTimeout, "drain-timeout", c.DrainTimeout, "at shutdown, longest time for requests to finish")
	format := fs.String("log-format", "text", "`format` of the log: text or json")

	if err := cli.Parse(fs, args, false); err != nil {
		return nil, err
	}
	if err := cli.Require(fs, "model"); err != nil {
		return nil, err
	}
	c.MaxBody = *body << 20
	c.MaxPixels = int(*pixels * 1e6)
	var err error
	if c.Logger, err = logger(*format, stderr); err != nil {
		return nil, err
	}
	return o, c.Validate()
}

func logger(format string, w io.Writer) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, cli.Usagef("--log-format: unknown format %q; known are text and json", format)
}
