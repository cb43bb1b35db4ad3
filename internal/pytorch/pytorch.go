// Package pytorch asks scripts that run PyTorch, for benchmarks that compare with it.
package pytorch

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/internal/testmodel"
)

// python is the interpreter that Debian's packages are for.
const python = "/usr/bin/python3"

// Has reports whether Python has all these modules.
func Has(modules ...string) bool {
	return exec.Command(python, "-c", "import "+strings.Join(modules, ", ")).Run() == nil
}

// Process is a script that answers each line with a line of numbers.
type Process struct {
	ask    io.Writer
	answer *bufio.Scanner
}

// Start runs a script of scripts/reference until the benchmark ends. It has started when
// the first line of numbers, which is passed over, is there.
func Start(tb testing.TB, script string, args ...string) *Process {
	tb.Helper()
	path := testmodel.Path("scripts", "reference", script)
	c := exec.Command(python, append([]string{"-B", filepath.Base(path)}, args...)...)
	c.Dir, c.Stderr = filepath.Dir(path), os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		in.Close()
		c.Wait()
	})
	p := &Process{in, bufio.NewScanner(out)}
	p.read(tb)
	return p
}

// Ask sends a line and returns the numbers that come back.
func (p *Process) Ask(tb testing.TB, line string) []float64 {
	tb.Helper()
	if _, err := io.WriteString(p.ask, line+"\n"); err != nil {
		tb.Fatal(err)
	}
	return p.read(tb)
}

func (p *Process) read(tb testing.TB) []float64 {
	tb.Helper()
	if !p.answer.Scan() {
		tb.Fatal("PyTorch's process has ended")
	}
	var numbers []float64
	for _, field := range strings.Fields(p.answer.Text()) {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			tb.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	return numbers
}
