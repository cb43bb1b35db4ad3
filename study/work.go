package study

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/runs"
)

// outcome of a part that has ended.
type outcome struct {
	part *Part
	err  error
}

// work does all parts that are not done, so many at once as there are jobs, each after the
// one that it needs. It returns an error only when ctx has ended.
func (s *Study) work(ctx context.Context) error {
	waiting := s.todo()
	ended := make(chan outcome)
	for running := 0; ; {
		for running < s.opt.Jobs && ctx.Err() == nil {
			at := slices.IndexFunc(waiting, s.isReady)
			if at < 0 {
				break
			}
			p := waiting[at]
			waiting = slices.Delete(waiting, at, at+1)
			running++
			go func() { ended <- outcome{p, s.do(ctx, p)} }()
		}
		if running == 0 {
			break
		}
		o := <-ended
		running--
		if o.err != nil && ctx.Err() != nil {
			continue // it was stopped
		}
		if o.err != nil {
			s.failed[o.part.Digest] = o.err
			waiting = s.withoutHope(waiting)
		}
		s.tell(o)
		if err := s.writeParts(); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	return nil
}

// isReady reports whether what a part needs is there.
func (s *Study) isReady(p *Part) bool {
	return (p.needs == nil || s.isDone(p.needs)) && (p.from == nil || s.isDone(p.from))
}

// withoutHope lets the parts fail that need one which has.
func (s *Study) withoutHope(waiting []*Part) []*Part {
	for {
		before := len(waiting)
		waiting = slices.DeleteFunc(waiting, func(p *Part) bool {
			for _, needed := range []*Part{p.needs, p.from} {
				if needed != nil && s.failed[needed.Digest] != nil {
					s.failed[p.Digest] = fmt.Errorf("not done, as it needs what has failed: %s", needed.Name())
					return true
				}
			}
			return false
		})
		if len(waiting) == before {
			return waiting
		}
	}
}

// tell says how a part ended, and what is left.
func (s *Study) tell(o outcome) {
	todo := s.todo()
	at := fmt.Sprintf("[%d of %d]", len(s.x.parts)-s.left(), len(s.x.parts))
	if o.err != nil {
		s.opt.Say(fmt.Sprintf("%s %s FAILED: %v", at, o.part.Name(), o.err))
		return
	}
	d, _ := o.part.done()
	left := ""
	if e := s.timesOf().total(todo, s.opt.Jobs); len(todo) > 0 {
		left = "; " + e.String() + " left"
	}
	s.opt.Say(fmt.Sprintf("%s %s: %v%s", at, o.part.Name(), seconds(d.Seconds), left))
}

// do does a part: in a way that it can be stopped at any point, and gone on with.
func (s *Study) do(ctx context.Context, p *Part) (err error) {
	if err := os.MkdirAll(p.folder, 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	start, before := time.Now(), p.spent()
	defer func() {
		if err != nil {
			p.spend(before + time.Since(start).Seconds())
		}
	}()
	args, err := s.args(p)
	if err != nil {
		return err
	}
	if err := s.runLogged(ctx, p, args); err != nil {
		return err
	}
	if p.Kind == Validate || p.Kind == Evaluate {
		if err := p.conclude(); err != nil {
			return err
		}
	}
	record := done{Digest: p.Digest, Part: p.Name(), Seconds: before + time.Since(start).Seconds(), Images: p.Images, Version: ascood.Version, Finished: time.Now().UTC()}
	content, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(p.path(doneFile), append(content, '\n'))
}

// args are all arguments of a part's program.
func (s *Study) args(p *Part) ([]string, error) {
	threads := strconv.Itoa(s.opt.Threads)
	compute := slices.Concat([]string{"--threads=" + threads}, option("--device", s.opt.Device))
	switch p.Kind {
	case Train:
		run := p.path(runFolder)
		compute = append(compute, "--workers="+threads, "--output="+run)
		if _, err := os.Stat(filepath.Join(run, runs.LastFile)); err == nil {
			return append([]string{"--resume"}, compute...), nil
		}
		if err := os.RemoveAll(run); err != nil { // stopped before its first epoch had ended
			return nil, ascood.Errorf(ascood.Invalid, "%w", err)
		}
		return slices.Concat(p.args, compute), nil
	case Export:
		return slices.Concat(p.args, s.plan.Evaluation.learning(p), []string{"--threads=" + threads, "--output=" + p.path(modelFile)}), nil
	}
	args, err := s.plan.Evaluation.args(p)
	return append(args, compute...), err
}

// runLogged runs a part's program, and keeps what it says.
func (s *Study) runLogged(ctx context.Context, p *Part, args []string) error {
	log, err := os.OpenFile(p.path(logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer log.Close()
	fmt.Fprintf(log, "$ %s %s\n", p.program, strings.Join(args, " "))
	end := &tail{}
	if err := s.opt.Program(ctx, p.program, args, io.MultiWriter(log, end)); err != nil {
		return fmt.Errorf("%s (%s)", lastWords(string(end.text), p.program, err), p.path(logFile))
	}
	return nil
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(b []byte) (int, error) {
	const most = 8 << 10
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(b), nil
}

// spent is the time in seconds that has gone into a part which is not done.
func (p *Part) spent() (seconds float64) {
	content, err := os.ReadFile(p.path(spentFile))
	if err != nil || json.Unmarshal(content, &seconds) != nil {
		return 0
	}
	return seconds
}

// spend keeps that; without it an estimate is too low, and nothing else.
func (p *Part) spend(seconds float64) {
	atomicfile.WriteFile(p.path(spentFile), []byte(strconv.FormatFloat(seconds, 'f', 1, 64)+"\n"))
}
