// Command ascood-serve answers over HTTP whether uploaded images are in or out
// of distribution.
package main

import (
	"context"
	"io"
	"net"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/serve"
)

func main() { cli.Main(run) }

// run serves until ctx is done. It takes the address before it loads the model,
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

	model, err := o.compute.Open(o.model, o.score, o.limits.Logger)
	if err != nil {
		return err
	}
	defer model.Close()
	server, err := serve.New(model, o.limits)
	if err != nil {
		return err
	}
	defer server.Close()
	return server.Serve(ctx, l)
}
