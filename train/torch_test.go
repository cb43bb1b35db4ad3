package train

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ascood/ascood/gotorch"
)

// BenchmarkStepBesidePyTorch makes steps in turns with Debian's python3-torch, which has
// the same libtorch, threads and batch: as one writes them who knows PyTorch (expert), and
// as they are published (reference); scripts/reference/step_speed.py has both. It reports
// the medians of both sides and their ratio, the ratio of the processor's time, which other
// work on the machine disturbs less, and the peak of each process's memory without what it had
// before.
func BenchmarkStepBesidePyTorch(b *testing.B) {
	if exec.Command(python, "-c", "import torch").Run() != nil {
		b.Skip("python3-torch is not installed")
	}
	for _, net := range timed {
		for _, form := range []string{"expert", "reference", MethodCE} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/width=%d/%s/threads=%d", net.arch, net.width, form, threads), func(b *testing.B) {
					useThreads(b, threads)
					scope := gotorch.NewScope()
					defer scope.Close()
					c := Default(OODGradient)
					c.Arch, c.Width = net.arch, net.width
					if form == MethodCE {
						c.Method = MethodCE
					}
					before := resident(b)
					resetPeak(b)
					ours := newStepper(b, scope, c, net.size, net.batch)
					theirs := startTorch(b, form, net.arch, net.width, net.size, net.batch, threads)
					ours.step(b)
					theirs.step(b)
					var own, torch, ownCPU, torchCPU []float64
					for b.Loop() {
						start, cpu := time.Now(), processorSeconds(b)
						ours.step(b)
						own, ownCPU = append(own, time.Since(start).Seconds()), append(ownCPU, processorSeconds(b)-cpu)
						seconds, cpu := theirs.step(b)
						torch, torchCPU = append(torch, seconds), append(torchCPU, cpu)
					}
					b.ReportMetric(0, "ns/op") // both sides together say nothing
					b.ReportMetric(1e3*median(own), "ms/step")
					b.ReportMetric(1e3*median(torch), "torch-ms/step")
					b.ReportMetric(median(torch)/median(own), "x-torch")
					b.ReportMetric(median(torchCPU)/median(ownCPU), "x-torch-cpu")
					b.ReportMetric(peakResident(b)-before, "MB")
					b.ReportMetric(theirs.peak-theirs.before, "torch-MB")
				})
			}
		}
	}
}

const python = "/usr/bin/python3"

// torchSteps is a process that makes PyTorch's steps.
type torchSteps struct {
	ask          io.Writer
	answer       *bufio.Scanner
	before, peak float64 // resident memory in MB: with libtorch loaded, and at most
}

func startTorch(b *testing.B, form, arch string, sizes ...int) *torchSteps {
	b.Helper()
	args := []string{"-B", filepath.Join("..", "scripts", "reference", "step_speed.py"), form, arch}
	for _, n := range sizes {
		args = append(args, strconv.Itoa(n))
	}
	c := exec.Command(python, args...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		c.Wait()
	})
	t := &torchSteps{ask: in, answer: bufio.NewScanner(out)}
	t.before, _, _ = t.read(b)
	return t
}

// step returns the seconds of a step, and the processor's.
func (t *torchSteps) step(b *testing.B) (seconds, processor float64) {
	b.Helper()
	fmt.Fprintln(t.ask)
	t.peak, seconds, processor = t.read(b)
	return seconds, processor
}

func (t *torchSteps) read(b *testing.B) (megabytes, seconds, processor float64) {
	b.Helper()
	if !t.answer.Scan() {
		b.Fatal("PyTorch's process has ended")
	}
	if _, err := fmt.Sscan(t.answer.Text(), &megabytes, &seconds, &processor); err != nil {
		b.Fatal(err)
	}
	return megabytes, seconds, processor
}

// processorSeconds is the processor's time that the process has taken.
func processorSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// resetPeak has Linux forget the process's peak of resident memory.
func resetPeak(b *testing.B) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
}

// peakResident is the most resident memory since resetPeak, in MB.
func peakResident(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	kB, err := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return kB * 1024 / 1e6
}
