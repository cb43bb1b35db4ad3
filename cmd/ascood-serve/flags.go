package main

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/internal/cli/modelflags"
	"github.com/ascood/ascood/serve"
	"github.com/ascood/ascood/serve/keep"
	"github.com/ascood/ascood/serve/scoring"
)

const usage = `ascood-serve --model model.onnx [flags]
ascood-serve --models folder [flags]
ascood-serve --demo

Answers over HTTP whether images are in or out of the distribution that a model
was trained on. Models are files that ascood-export wrote with --calibrate.

  curl -F image=@photo.jpg http://127.0.0.1:8080/v1/score
  curl --data-binary @photo.jpg http://127.0.0.1:8080/v1/score

Further models are asked at /v1/models/NAME/score. GET / is a page for trying it
out; /livez, /readyz, /v1/models and /metrics are for operators. Clients of KServe
and Triton find the Open Inference Protocol at /v2, and over gRPC at --grpc-addr.
SIGHUP loads models that are new or have changed; SIGINT or SIGTERM lets the
requests in flight finish.
`

// Ends of the flags' ranges, beyond what any client sends or waits for.
const (
	mostMiB        = 16 << 10
	mostMemoryMiB  = 16 << 20
	leastMegapixel = 0.001
	mostMegapixels = 10_000 // a JPEG has at most 65535x65535
	mostImages     = 10_000
	mostQueue      = 1_000_000
	mostBatch      = 1024
	leastWindow    = 20
	mostWindow     = 1_000_000
	leastLevel     = 1e-9
	mostLevel      = 0.5
	leastTime      = time.Millisecond
	mostTime       = 24 * time.Hour
)

type options struct {
	fs       *pflag.FlagSet
	source   scoring.Source
	demo     bool
	interval time.Duration // between looks at the files of models
	addr     string
	grpcAddr string
	compute  *modelflags.Compute
	score    *modelflags.Score
	limits   serve.Config
	keep     keep.Config
	keys     string
	cert     string
	certKey  string

	metricsAddr, pprofAddr string
	logFormat              string
	otlpEndpoint           string

	// Limits in the units of their flags.
	bodyMiB, memoryMiB, keepMiB int
	megapixels                  float64
}

// flagNames are the flags of limits that have other names in serve.Config.
var flagNames = cli.FlagNames{"max_pixels": "max-megapixels"}

func newFlags(stdout io.Writer) *options {
	o := &options{limits: serve.DefaultConfig(), fs: cli.NewFlags("ascood-serve", usage, stdout)}
	fs := o.fs
	src := &o.source
	fs.StringVar(&src.Model, "model", "", "artifact `file` that ascood-export wrote with --calibrate")
	fs.StringVar(&src.Name, "name", "", "`name` to serve --model by (default: the artifact's)")
	fs.StringVar(&src.Folder, "models", "", "`folder` of further artifacts: NAME.onnx and NAME/model.onnx are served as NAME")
	fs.StringVar(&src.Default, "default", "", "`name` of the model of --models that /v1/score asks (the only one, where there is no --model)")
	fs.BoolVar(&o.demo, "demo", false, "serve a small model of clothes that is part of the program, to see what this is like")
	fs.Var(cli.Duration(&o.interval, 0, mostTime), "watch", "look for new and changed models this often; 0 is at SIGHUP alone")
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 picks a free one")
	fs.StringVar(&o.grpcAddr, "grpc-addr", "", "`host:port` for the Open Inference Protocol over gRPC")
	o.compute = modelflags.AddCompute(fs, "auto")
	o.score = modelflags.AddScore(fs, "the artifact's")

	c := &o.limits
	o.keepMiB, o.keep.PerMinute = 1024, 60
	o.bodyMiB, o.memoryMiB, o.megapixels = int(c.MaxBody>>20), int(c.MaxUploadMemory>>20), float64(c.MaxPixels)/1e6
	fs.Var(cli.Int(&o.bodyMiB, 1, mostMiB), "max-body", "largest request, `MiB`")
	fs.Var(cli.Int(&o.memoryMiB, 1, mostMemoryMiB), "max-upload-memory", "most `MiB` of uploads in memory at once; others are told to retry")
	fs.Var(cli.Float(&o.megapixels, leastMegapixel, mostMegapixels), "max-megapixels", "largest image, `millions` of pixels by its header")
	fs.Var(cli.Int(&c.MaxImages, 1, mostImages), "max-images", "most images in a request")
	fs.Var(cli.Int(&c.MaxQueue, 1, mostQueue), "max-queue", "most images in work at once, those that wait included; others are told when to retry")
	fs.Var(cli.Int(&c.MaxBatch, 0, mostBatch), "max-batch", "most images that share a run of the network; 0 is what suits the device and the size of the images")
	fs.Var(cli.Duration(&c.Timeout, leastTime, mostTime), "timeout", "longest time for a request, its upload included")
	fs.Var(cli.Duration(&c.DrainDelay, 0, mostTime), "drain-delay", "at shutdown, time to go on serving while /readyz fails")
	fs.Var(cli.Duration(&c.DrainTimeout, leastTime, mostTime), "drain-timeout", "at shutdown, longest time for requests to finish")
	fs.StringVar(&o.keys, "keys", "", "`file` of clients: lines of a name, the SHA-256 of its key and, if you like, the most requests a minute; others are refused")
	fs.StringVar(&o.cert, "tls-cert", "", "`file` of the certificate in PEM, for TLS")
	fs.StringVar(&o.certKey, "tls-key", "", "`file` of its private key")
	fs.StringVar(&o.metricsAddr, "metrics-addr", "", "`host:port` for /metrics alone, in place of --addr")
	fs.StringVar(&o.pprofAddr, "pprof-addr", "", "`host:port` for Go's profiles, on the loopback interface")
	fs.StringVar(&o.keep.Place, "keep", "", "`folder` to keep images in that are out of distribution, to look at, or URL of object storage if the program was built for it; none are kept without it")
	fs.Var(cli.Float(&c.KeepPValue, 0, 1), "keep-p-value", "keep images with a p-value up to this instead; 0 goes by the verdict")
	fs.Var(cli.Int(&o.keepMiB, 1, mostMemoryMiB), "keep-size", "most `MiB` that are kept")
	fs.Var(cli.Int(&o.keep.PerMinute, 1, mostQueue), "keep-rate", "most `images` that are kept in a minute")
	fs.Var(cli.Int(&c.Drift.Window, leastWindow, mostWindow), "drift-window", "`images` that are compared with the calibration at once, for drift")
	fs.Var(cli.Float(&c.Drift.Level, leastLevel, mostLevel), "drift-level", "`probability` of an alarm in a window without drift")
	fs.Var(cli.Duration(&c.Drift.Age, leastTime, mostTime), "drift-age", "images older than this are left out of the report on drift")
	fs.StringVar(&o.otlpEndpoint, "otlp-endpoint", "", "`URL` of an OpenTelemetry collector to send traces to, such as http://127.0.0.1:4318; OpenTelemetry's own variables are heeded too")
	fs.StringVar(&o.logFormat, "log-format", "text", "`format` of the log: text or json")
	return o
}

// parse reads the command line.
func parse(args []string, stdout, stderr io.Writer) (*options, error) {
	o := newFlags(stdout)
	if err := cli.Parse(o.fs, args, false); err != nil {
		return nil, err
	}
	if err := cli.Environment(o.fs, "ASCOOD_"); err != nil {
		return nil, err
	}
	if err := o.checkSource(); err != nil {
		return nil, err
	}
	c := &o.limits
	c.MaxBody, c.MaxUploadMemory = int64(o.bodyMiB)<<20, int64(o.memoryMiB)<<20
	c.MaxPixels = int(o.megapixels * 1e6)
	var err error
	if c.Logger, err = logger(o.logFormat, stderr); err != nil {
		return nil, err
	}
	o.keep.MaxBytes, o.keep.Logger = int64(o.keepMiB)<<20, c.Logger
	if err := cli.OnlyWith(o.fs, "keep", "keep-p-value", "keep-size", "keep-rate"); err != nil {
		return nil, err
	}
	if (o.cert == "") != (o.certKey == "") {
		return nil, cli.Usagef("--tls-cert and --tls-key are files of one pair: give both")
	}
	if o.pprofAddr != "" && !loopback(o.pprofAddr) {
		return nil, cli.Usagef("--pprof-addr %s: profiles tell too much for others: want an address such as 127.0.0.1:6060", o.pprofAddr)
	}
	c.OwnMetrics = o.metricsAddr != ""
	return o, flagNames.In(o.fs, c.Validate())
}

// checkSource makes sure that there is something to serve, and one default at most.
func (o *options) checkSource() error {
	src := &o.source
	if o.demo {
		for _, other := range []string{"model", "name", "models", "default"} {
			if o.fs.Changed(other) {
				return cli.Usagef("--demo has a model of its own: leave out --%s", other)
			}
		}
		return nil
	}
	if src.Model == "" && src.Folder == "" {
		return cli.Usagef("--model is missing, or --models: what to serve; --demo has a model of its own")
	}
	if err := cli.OnlyWith(o.fs, "model", "name"); err != nil {
		return err
	}
	if err := cli.OnlyWith(o.fs, "models", "default"); err != nil {
		return err
	}
	if src.Model != "" && src.Default != "" {
		return cli.Usagef("--default %s: --model is the default already", src.Default)
	}
	if strings.Contains(src.Name, "/") {
		return cli.Usagef("--name %s: it is part of a path, so without \"/\"", src.Name)
	}
	return nil
}

// loopback reports whether only this machine can reach an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
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
