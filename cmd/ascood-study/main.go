// Command ascood-study runs a comparison from a plan, as papers have them.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/study"
)

const usage = `ascood-study trains networks by several methods on several data sets with several
seeds, exports, calibrates and evaluates them, and writes one table as a paper prints
it: mean ± standard deviation over the seeds, the best bold, the second underlined.

  ascood-study plans/table1.json --data-root data --dry-run
  ascood-study plans/table1.json --data-root data --device cuda
  ascood-study plan.json --output results/plan --jobs 2

A plan is a JSON file (docs/plans.md). Its parts are runs of ascood-train, ascood-export
and ascood-eval; each is done once, whatever interrupts the study: the same command goes
on. Parts are recognised by their configuration and their images; after a change of the
plan those that it concerns are done anew. A part that fails does not stop the others.
`

func main() { cli.Main(execute) }

// flags are the command line.
type flags struct {
	study.Options
	plan     string
	programs string
	device   ascood.Device
	dryRun   bool
	probe    bool
}

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := &flags{}
	fs := cli.NewFlags("ascood-study", usage, stdout)
	fs.StringVarP(&f.Folder, "output", "o", "", "`folder` for runs, models, scores and tables (default: results/ with the plan's name)")
	fs.StringVar(&f.DataRoot, "data-root", "", "`folder` of the presets' lists and images, in OpenOOD's layout")
	fs.BoolVar(&f.dryRun, "dry-run", false, "list the parts, and how long they take as far as parts like them have been measured; do none")
	fs.BoolVar(&f.probe, "probe", false, "with --dry-run: train on a few images by each network, data and method that no time is known of")
	fs.Var(cli.Int(&f.Jobs, 1, 256), "jobs", "parts that are worked on at once, which share the cores")
	fs.Lookup("jobs").DefValue = "1"
	f.Jobs = 1
	fs.Var(cli.Int(&f.Threads, 0, 1024), "threads", "threads of each part; 0 is the cores divided by --jobs")
	cli.AddDevice(fs, &f.device, "cpu")
	fs.StringVar(&f.programs, "programs", "", "`folder` of ascood-train, ascood-export and ascood-eval (default: that of ascood-study)")
	if err := cli.Parse(fs, args, true); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return cli.Usagef("want one plan, such as ascood-study plan.json; got %q", fs.Args())
	}
	if err := cli.OnlyWith(fs, "dry-run", "probe"); err != nil {
		return err
	}
	f.plan = fs.Arg(0)
	return f.run(ctx, stdout, stderr)
}

func (f *flags) run(ctx context.Context, stdout, stderr io.Writer) error {
	plan, err := study.Load(f.plan)
	if err != nil {
		return err
	}
	f.Folder = cmp.Or(f.Folder, filepath.Join("results", plan.Name))
	f.Device = f.device.String()
	if f.Threads == 0 {
		f.Threads = max(1, runtime.NumCPU()/f.Jobs)
	}
	f.Say = func(line string) { fmt.Fprintln(stderr, line) }
	if f.dryRun {
		return f.list(ctx, plan, stdout)
	}
	lock, err := hold(f.Folder)
	if err != nil {
		return err
	}
	defer lock.Close()
	if f.Program, err = programs(f.programs, lock); err != nil {
		return err
	}
	s, err := study.New(plan, f.Options)
	if err != nil {
		return inPlan(f.plan, err)
	}
	if err := s.Run(ctx); err != nil {
		return err
	}
	return s.WriteTable(stdout)
}

// list lists the parts; what is missing is told of after that.
func (f *flags) list(ctx context.Context, plan *study.Plan, stdout io.Writer) error {
	var err error
	if f.Program, err = programs(f.programs, nil); f.probe && err != nil {
		return err
	}
	s, missing := study.New(plan, f.Options)
	if f.probe && missing == nil {
		if err := s.Probe(ctx); err != nil {
			return err
		}
	}
	if err := s.List(stdout); err != nil {
		return err
	}
	return inPlan(f.plan, missing)
}

// inPlan says of each line of an error in which plan it is.
func inPlan(path string, err error) error {
	if err == nil {
		return nil
	}
	return ascood.Errorf(ascood.CodeOf(err), "%s: %s", path, strings.ReplaceAll(err.Error(), "\ndata ", "\n"+path+": data "))
}
