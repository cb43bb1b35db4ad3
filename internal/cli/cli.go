// Package cli holds what the commands have in common: how they start and end,
// and the flags that mean the same in several of them.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v\nSee %s --help.\n", name, err, name)
		return StatusUsage
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	if errors.Is(err, context.Canceled) {
		return StatusInterrupted
	}
	return StatusFailed
}

// usageError marks a command line that cannot be meant.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Usagef returns an error that names a fault of the command line.
func Usagef(format string, args ...any) error {
	return &usageError{ascood.Errorf(ascood.Invalid, format, args...)}
}

// NewFlags returns an empty flag set. Help prints usage, which says what the
// command is for and shows examples, above the flags.
func NewFlags(name, usage string, stdout io.Writer) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(io.Discard)
	fs.Usage = func() { fmt.Fprintf(stdout, "%s\nFlags:\n%s", usage, fs.FlagUsages()) }
	return fs
}

// Parse reads the arguments. Words that are no flags are an error unless the
// command takes some.
func Parse(fs *pflag.FlagSet, args []string, takesWords bool) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		return &usageError{err}
	}
	if !takesWords && fs.NArg() > 0 {
		return Usagef("unexpected argument %q", fs.Arg(0))
	}
	return nil
}

// Require reports the first of the named flags that was not given.
func Require(fs *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if !fs.Changed(name) {
			_, usage := pflag.UnquoteUsage(fs.Lookup(name))
			return Usagef("--%s is missing: %s", name, usage)
		}
	}
	return nil
}

// OnlyWith reports the first of the named flags that was given without the flag
// that gives it a meaning.
func OnlyWith(fs *pflag.FlagSet, owner string, names ...string) error {
	if fs.Changed(owner) {
		return nil
	}
	for _, name := range names {
		if fs.Changed(name) {
			return Usagef("--%s has no meaning without --%s", name, owner)
		}
	}
	return nil
}
