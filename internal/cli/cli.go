// Package cli holds what the commands have in common: how they start and end, and
// how flags are read. It knows nothing of models and images; the flags that do are
// in the folders below it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
)

// Exit statuses of all commands.
const (
	StatusFailed      = 1   // it could not be done
	StatusUsage       = 2   // the command line is wrong
	StatusDeviceLost  = 4   // a GPU failed in a way that a new process may not meet
	StatusInterrupted = 130 // stopped by SIGINT or SIGTERM
)

// Run is a command: it reads its arguments and writes to the given streams. It
// ends early, tidily, once ctx is done.
type Run func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// Main runs a command with the process's arguments and exits with its status.
func Main(run Run) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends a command that does not heed the first.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(Report(os.Stderr, filepath.Base(os.Args[0]), err))
}

// Report prints a command's error and returns the exit status that goes with it.
func Report(stderr io.Writer, name string, err error) int {
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp), errors.Is(err, errVersion):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v\nSee %s --help.\n", name, err, name)
		return StatusUsage
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	switch {
	case errors.Is(err, ascood.ErrDeviceLost):
		return StatusDeviceLost
	case errors.Is(err, context.Canceled):
		return StatusInterrupted
	}
	return StatusFailed
}

// Logger writes log lines for a person to read.
func Logger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
