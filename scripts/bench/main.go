// Command bench measures what the programs take, beside ONNX Runtime's forward pass and
// beside PyTorch where Debian's python3-torch is installed, and writes one document of it.
// Most is measured by Go benchmarks, which it runs; start-up, memory and sizes of programs
// by running what is in bin/.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
)

const usage = `bench [flags]

Measures and prints tables, and writes them to a document with the machine, the versions
and a line of history for each run. It is run in the root folder of the repository, by make.
`

type options struct {
	quick  bool
	only   []string
	output string
}

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := options{output: "BENCHMARKS.md"}
	all := sections()
	var keys []string
	for _, s := range all {
		keys = append(keys, s.key)
	}
	fs := cli.NewFlags("bench", usage, stdout)
	fs.BoolVar(&o.quick, "quick", false, "few networks and rounds, in a quarter of the time, and no document")
	fs.StringSliceVar(&o.only, "only", nil, "`sections` to measure, without a document: "+strings.Join(keys, ", "))
	fs.StringVar(&o.output, "output", o.output, "the document, a Markdown `file`")
	if err := cli.Parse(fs, args, false); err != nil {
		return err
	}
	for _, key := range o.only {
		if !slices.Contains(keys, key) {
			return ascood.Errorf(ascood.Invalid, "there is no section %q; there are %s", key, strings.Join(keys, ", "))
		}
	}
	if len(o.only) > 0 {
		all = slices.DeleteFunc(all, func(s section) bool { return !slices.Contains(o.only, s.key) })
	}
	about, err := describe(ctx)
	if err != nil {
		return err
	}
	d := document{about: about}
	var failed []error // one section does not hold up the others
	for _, s := range all {
		fmt.Fprintf(stderr, "== %s\n", s.title)
		measured, err := s.measure(ctx, o.quick, stderr)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.key, err))
			s.text += "\n\nNot all of it could be measured in this run."
		}
		d.sections = append(d.sections, filled{s, measured})
	}
	return errors.Join(append(failed, d.publish(o, stdout))...)
}

// publish prints the document, and writes it if it is whole.
func (d document) publish(o options, stdout io.Writer) error {
	if o.quick {
		d.about = append(d.about, fact{"quick", "few networks and rounds"})
	}
	if o.quick || len(o.only) > 0 {
		_, err := io.WriteString(stdout, d.String())
		return err
	}
	former, err := os.ReadFile(o.output)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	d.history = append(history(string(former)), d.line())
	text := d.String()
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	return os.WriteFile(o.output, []byte(text), 0o644)
}
