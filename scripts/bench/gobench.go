package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// result is what a benchmark has measured, by units.
type result struct {
	name   string // after the benchmark's own, without the number of processors
	bench  string // the benchmark's own
	values map[string]float64
}

// job is a command that prints results as Go's benchmarks do.
type job struct {
	args  []string
	quick []string // in place of args in a quick run; nil is args, empty is none
}

// goBench runs benchmarks of a package, a number of rounds each or for a time.
func goBench(pkg, bench, rounds string, flags ...string) []string {
	return append([]string{"test", pkg, "-run", "^$", "-timeout", "30m", "-bench", bench, "-benchtime", rounds}, flags...)
}

// do runs it, tells what it has measured as it comes, and returns it, also with an error.
func (j job) do(ctx context.Context, quick bool, progress io.Writer) ([]result, error) {
	args := j.args
	if quick && j.quick != nil {
		args = j.quick
	}
	if len(args) == 0 {
		return nil, nil
	}
	c := exec.CommandContext(ctx, "go", args...)
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.Stderr = progress
	if err := c.Start(); err != nil {
		return nil, err
	}
	var results []result
	var text bytes.Buffer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "Benchmark") {
			fmt.Fprintln(progress, lines.Text())
		}
	}
	failed := c.Wait()
	if failed != nil {
		failed = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), failed, text.String())
	}
	reader := benchfmt.NewReader(&text, "")
	for reader.Scan() {
		if r, ok := reader.Result().(*benchfmt.Result); ok {
			results = append(results, newResult(r))
		}
	}
	return results, errors.Join(failed, reader.Err())
}

// processors is what Go adds to names.
var processors = regexp.MustCompile(`-\d+$`)

func newResult(r *benchfmt.Result) result {
	bench, name, _ := strings.Cut(string(r.Name.Full()), "/")
	own := result{processors.ReplaceAllString(name, ""), "Benchmark" + processors.ReplaceAllString(bench, ""), map[string]float64{}}
	for _, v := range r.Values {
		if v.OrigUnit != "" {
			own.values[v.OrigUnit] = v.OrigValue
		} else {
			own.values[v.Unit] = v.Value
		}
	}
	return own
}
