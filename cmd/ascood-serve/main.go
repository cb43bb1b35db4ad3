// Command ascood-serve answers over HTTP and gRPC whether uploaded images are in or out
// of distribution.
package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/serve"
	"github.com/ascood/ascood/serve/keep"
	"github.com/ascood/ascood/serve/scoring"
	"github.com/ascood/ascood/serve/tracing"
)

func main() { cli.Main(run) }

// run serves until ctx is done. It takes the address before it loads models,
// so that a port in use is known at once.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout, stderr)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.addr)
	if err != nil {
		return ascood.Errorf(ascood.Unavailable, "%w; --addr chooses another address", err)
	}
	defer l.Close()
	if o.grpcAddr != "" {
		if o.limits.GRPC, err = net.Listen("tcp", o.grpcAddr); err != nil {
			return ascood.Errorf(ascood.Unavailable, "%w; --grpc-addr chooses another address", err)
		}
		defer o.limits.GRPC.Close()
	}

	if err := o.access(); err != nil {
		return err
	}
	remove, err := o.unpackDemo()
	if err != nil {
		return err
	}
	defer remove()
	o.source.Open = func(path string, details bool) (scoring.Model, error) {
		return o.compute.OpenDetailed(path, o.score, details, o.limits.Logger)
	}
	traces, err := tracing.Open(ctx, o.otlpEndpoint, o.limits.Logger)
	if err != nil {
		return flagNames.In(o.fs, err)
	}
	if traces != nil {
		o.limits.Tracer = traces.Tracer(scoring.TracerName)
		defer sendRest(traces, o.limits.Logger)
	}
	models, err := scoring.Open(ctx, o.source, o.limits.Limits, o.limits.Logger)
	if err != nil {
		return flagNames.In(o.fs, err)
	}
	if o.keep.Place != "" {
		if o.limits.Keep, err = keep.Open(o.keep); err != nil {
			return errors.Join(err, models.Close())
		}
		defer o.limits.Keep.Close() // once the models, which hand images over, are closed
	}
	server, err := serve.New(models, o.limits)
	if err != nil {
		return errors.Join(err, models.Close())
	}
	aside, err := o.aside(server)
	if err != nil {
		return errors.Join(err, models.Close())
	}
	defer aside()
	watching := watch(ctx, models, o.interval)
	err = server.Serve(ctx, l)
	watching()
	return errors.Join(err, models.Close())
}

// traceTimeout is for the traces that are left at the end.
const traceTimeout = 5 * time.Second

// sendRest sends the traces that are left.
func sendRest(traces *tracing.Provider, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), traceTimeout)
	defer cancel()
	if err := traces.Shutdown(ctx); err != nil {
		log.Warn("the last traces are not sent", "error", err.Error())
	}
}

// watch reloads models at SIGHUP and at intervals, until the function that it returns
// is called.
func watch(ctx context.Context, models *scoring.Models, interval time.Duration) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	var watcher sync.WaitGroup
	watcher.Go(func() { models.Watch(ctx, interval, signals) })
	return func() {
		signal.Stop(signals)
		cancel()
		watcher.Wait()
	}
}
