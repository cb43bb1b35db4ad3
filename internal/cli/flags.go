package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
)

// usageError marks a command line that cannot be meant.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Usagef returns an error that names a fault of the command line.
func Usagef(format string, args ...any) error {
	return &usageError{ascood.Errorf(ascood.Invalid, format, args...)}
}

// NewFlags returns a flag set that has only --version. Help prints usage, which
// says what the command is for and shows examples, above the flags.
func NewFlags(name, usage string, stdout io.Writer) *pflag.FlagSet {
	fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(stdout)
	fs.Usage = func() { fmt.Fprintf(stdout, "%s\nFlags:\n%s", usage, fs.FlagUsages()) }
	fs.Bool(versionFlag, false, "print the version and end")
	return fs
}

// Parse reads the arguments. Words that are no flags are an error unless the
// command takes some.
func Parse(fs *pflag.FlagSet, args []string, takesWords bool) error {
	err := fs.Parse(args)
	if value, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return Usagef("--%s %s: %w", value.GetFlag().Name, value.GetValue(), errors.Unwrap(value))
	}
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case err != nil:
		return &usageError{err}
	case fs.Changed(versionFlag):
		fmt.Fprintf(fs.Output(), "%s %s\n", fs.Name(), version())
		return errVersion
	case !takesWords && fs.NArg() > 0:
		return Usagef("unexpected argument %q", fs.Arg(0))
	}
	return nil
}

// Environment sets the flags that were not given from variables of the environment, which
// go by the flag's name: --max-body is PREFIX_MAX_BODY.
func Environment(fs *pflag.FlagSet, prefix string) error {
	var err error
	fs.VisitAll(func(flag *pflag.Flag) {
		name := prefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		value, set := os.LookupEnv(name)
		if !set || flag.Changed || flag.Name == versionFlag || err != nil {
			return
		}
		if failed := fs.Set(flag.Name, value); failed != nil {
			if invalid, ok := errors.AsType[*pflag.InvalidValueError](failed); ok {
				failed = errors.Unwrap(invalid)
			}
			err = Usagef("%s=%s: %w", name, value, failed)
		}
	})
	return err
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

// OnlyBeside reports the first flag that was given beside owner and is not among the
// named ones, which alone have a meaning then.
func OnlyBeside(fs *pflag.FlagSet, owner string, names ...string) error {
	var err error
	fs.Visit(func(given *pflag.Flag) {
		if err == nil && given.Name != owner && !slices.Contains(names, given.Name) {
			err = Usagef("--%s has no meaning beside --%s", given.Name, owner)
		}
	})
	return err
}
