package cli

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
)

// FlagNames are the flags for settings that go by another name in the errors of
// libraries.
type FlagNames map[ascood.Field]string

// Flag returns a setting's flag, without dashes: the one named for it, or that of
// its own name, as alpha_min is --alpha-min. It is "" if the command has none.
func (n FlagNames) Flag(fs *pflag.FlagSet, f ascood.Field) string {
	flag, ok := n[f]
	if !ok {
		flag = strings.ReplaceAll(string(f), "_", "-")
	}
	if fs.Lookup(flag) == nil {
		return ""
	}
	return flag
}

// In returns err in the words of the command line. Settings without a flag keep
// their names.
func (n FlagNames) In(fs *pflag.FlagSet, err error) error {
	if err == nil {
		return nil
	}
	return &described{err, ascood.Describe(err, func(f ascood.Field) string {
		if flag := n.Flag(fs, f); flag != "" {
			return "--" + flag
		}
		return string(f)
	})}
}

// described is an error with another text.
type described struct {
	error
	text string
}

func (d *described) Error() string { return d.text }
func (d *described) Unwrap() error { return d.error }
