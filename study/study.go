package study

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
)

// Options say where and how a study is made, not what comes out of it.
type Options struct {
	Folder   string // for its files
	DataRoot string // of presets; "" if the plan has none
	Jobs     int    // parts that are worked on at once
	Device   string // for trainings and evaluations, as ascood.ParseDevice takes it; "" is the CPU
	Threads  int    // of each part
	Program  Program
	Say      func(line string) // is told what happens
}

// Study is a plan at work.
type Study struct {
	plan *Plan
	opt  Options
	x    expansion

	failed map[string]error     // of parts, by digest
	read   map[string]*results  // likewise
	probes map[likeness]float64 // what Probe has found, in seconds for an image
}

// New opens the plan's images. Those that are missing are named, all of them at once, in
// an error that is ascood.Invalid; List works all the same.
func New(plan *Plan, opt Options) (*Study, error) {
	s := &Study{plan: plan, opt: opt, failed: map[string]error{}, read: map[string]*results{}, probes: map[likeness]float64{}}
	s.x = expansion{plan: plan, sources: map[string]*source{}, files: digester{}, folder: opt.Folder, found: map[combination]Settings{}}
	o := &opener{dataRoot: opt.DataRoot, known: map[[2]string]images{}}
	for _, d := range plan.Data {
		s.x.sources[d.Name] = o.open(d, plan)
	}
	if len(o.faults) > 0 {
		return s, ascood.Errorf(ascood.Invalid, "%s", strings.Join(o.faults, "\n"))
	}
	return s, nil
}

// Run makes what is not there yet, and then the tables. A part that fails is told of and
// does not stop those that do not need it; the error at the end names all such. When ctx
// ends, parts at work are stopped in a way that they go on from.
func (s *Study) Run(ctx context.Context) error {
	before, err := s.readParts()
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		s.x.expand()
		if err := s.conclude(); err != nil {
			return err
		}
		s.x.expand() // with the outcomes of searches that had ended before
		if first {
			s.greet(before)
		}
		if err := s.preflight(ctx); err != nil {
			return err
		}
		known := len(s.x.found)
		if err := s.work(ctx); err != nil {
			return errors.Join(err, s.report())
		}
		if err := s.conclude(); err != nil {
			return err
		}
		if len(s.x.found) == known {
			break
		}
	}
	if err := s.report(); err != nil {
		return err
	}
	return s.failures()
}

// conclude takes the outcomes of the searches that have ended.
func (s *Study) conclude() error {
	for {
		known := len(s.x.found)
		for _, t := range s.x.tries {
			if _, ok := s.x.found[t.combination]; ok {
				continue
			}
			best, err := t.best(s.isDone)
			if err != nil {
				return err
			}
			if best >= 0 {
				s.x.found[t.combination] = t.candidates[best].found()
			}
		}
		if len(s.x.found) == known {
			return nil
		}
		s.x.expand() // there may be searches that start from these
	}
}

// best is the candidate with the highest AUROC on the validation images, the first of
// equals; -1 before all are done.
func (t *try) best(isDone func(*Part) bool) (int, error) {
	best, highest := -1, -1.
	for i, c := range t.candidates {
		if !isDone(c.validate) {
			return -1, nil
		}
		auroc, err := t.auroc(c)
		if err != nil {
			return -1, err
		}
		if auroc > highest {
			best, highest = i, auroc
		}
	}
	return best, nil
}

// auroc is what a candidate that is done has reached.
func (t *try) auroc(c candidate) (float64, error) {
	r, err := c.validate.results()
	if err != nil {
		return 0, err
	}
	row, ok := r.row(t.score, validationSet)
	if !ok {
		return 0, ascood.Errorf(ascood.Internal, "%s has no results of %s", c.validate.Name(), t.score)
	}
	return row.AUROC, nil
}

// isDone reports whether a part's outcome is there.
func (s *Study) isDone(p *Part) bool {
	d, ok := p.done()
	return ok && d.Digest == p.Digest
}

func (p *Part) done() (d done, ok bool) {
	content, err := os.ReadFile(p.path(doneFile))
	return d, err == nil && json.Unmarshal(content, &d) == nil
}

// todo are the parts that are neither done nor have failed.
func (s *Study) todo() []*Part {
	return slices.DeleteFunc(slices.Clone(s.x.parts), func(p *Part) bool { return s.isDone(p) || s.failed[p.Digest] != nil })
}

// left is how many of the parts that can be said by now are not done.
func (s *Study) left() (n int) {
	for _, p := range s.x.parts {
		if !s.isDone(p) {
			n++
		}
	}
	return n
}

// greet says what is there, and what has changed since.
func (s *Study) greet(before []record) {
	more := ""
	if n := len(s.x.open); n > 0 {
		more = fmt.Sprintf(", and those of %s whose settings are searched first", count(n, "method"))
	}
	s.opt.Say(fmt.Sprintf("%s: %d done, %d to do%s", count(len(s.x.parts), "part"), len(s.x.parts)-s.left(), s.left(), more))
	now := map[string]string{}
	for _, p := range s.x.parts {
		now[p.Name()] = p.Digest
	}
	var changed, gone []string
	for _, r := range before {
		switch digest, there := now[r.name]; {
		case there && digest != r.digest:
			changed = append(changed, r.name)
		case !there && r.state == stateDone && len(s.x.open) == 0:
			gone = append(gone, r.name)
		}
	}
	if len(changed) > 0 {
		s.opt.Say(fmt.Sprintf("the configuration or the images of %s have changed, which are done anew: %s", count(len(changed), "part"), some(changed)))
	}
	if len(gone) > 0 {
		s.opt.Say(fmt.Sprintf("%s of an earlier plan stay in the folder, but have no place in the table: %s", count(len(gone), "part"), some(gone)))
	}
}

// some names a few.
func some(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, "; ")
	}
	return fmt.Sprintf("%s; … (%d more)", strings.Join(names[:most], "; "), len(names)-most)
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// preflight has ascood-train look at the configuration of each training that is to be
// made, so that a wrong one is found before a day of others.
func (s *Study) preflight(ctx context.Context) error {
	var faults []string
	seen := map[combination]map[string]bool{}
	for _, p := range s.todo() {
		of := combination{p.Network, p.Data, p.Method}
		if seen[of] == nil {
			seen[of] = map[string]bool{}
		}
		if p.Kind != Train || seen[of][p.Candidate] {
			continue
		}
		seen[of][p.Candidate] = true
		var said bytes.Buffer
		args := append(slices.Clone(p.args), "--output="+p.path(runFolder), "--print-config")
		if err := s.opt.Program(ctx, p.program, args, &said); err != nil {
			if ctx.Err() != nil {
				return stopped(ctx)
			}
			faults = append(faults, p.Name()+": "+lastWords(said.String(), p.program, err))
		}
	}
	if len(faults) > 0 {
		return ascood.Errorf(ascood.Invalid, "nothing is begun:\n%s", strings.Join(faults, "\n"))
	}
	return nil
}

// stopped is the error when ctx has ended.
func stopped(ctx context.Context) error {
	return fmt.Errorf("stopped: %w; the same command goes on", ctx.Err())
}

// lastWords is what a program said of its failure.
func lastWords(said, program string, err error) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, program+": ") }); at >= 0 {
		lines = slices.DeleteFunc(lines[at:], func(line string) bool { return strings.HasPrefix(line, "See "+program) })
		return strings.Join(lines, "\n")
	}
	return fmt.Sprintf("%v: %s", err, lines[len(lines)-1])
}

// failures is the error that names all parts which have failed.
func (s *Study) failures() error {
	if len(s.failed) == 0 {
		return nil
	}
	var lines []string
	for _, p := range s.x.parts {
		if err := s.failed[p.Digest]; err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v", p.Name(), err))
		}
	}
	if n := len(s.x.open); n > 0 {
		lines = append(lines, fmt.Sprintf("%s cannot be trained, as the search of their settings is incomplete", count(n, "method")))
	}
	return fmt.Errorf("%s failed; the same command tries them again:\n%s", count(len(s.failed), "part"), strings.Join(lines, "\n"))
}

// write writes a file of the study.
func (s *Study) write(name string, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return atomicfile.WriteFile(filepath.Join(s.opt.Folder, name), content.Bytes())
}
