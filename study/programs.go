package study

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/artifact"
	"github.com/ascood/ascood/checkpoint"
	"github.com/ascood/ascood/internal/atomicfile"
	"github.com/ascood/ascood/posthoc"
	"github.com/ascood/ascood/runs"
)

// Program runs one of the project's programs by its name, in a process of its own, whose
// memory is given back and whose failure is its own. What it says goes to log.
type Program func(ctx context.Context, name string, args []string, log io.Writer) error

// The programs.
const (
	trainProgram  = "ascood-train"
	exportProgram = "ascood-export"
	evalProgram   = "ascood-eval"
)

// bestCheckpoint is the outcome of a training.
var bestCheckpoint = filepath.Join(runFolder, runs.BestFile)

// option is a flag with a value, none without one.
func option(flag, value string) []string {
	if value == "" {
		return nil
	}
	return []string{flag + "=" + value}
}

// trainArgs are the arguments of a training, but for its folder.
func trainArgs(s *source, m Method, settings Settings, seed uint64) []string {
	args := []string{"--method=" + m.Method, "--seed=" + strconv.FormatUint(seed, 10)}
	if s.preset != nil {
		args = append(args, "--preset="+s.Preset, "--data-root="+s.dataRoot)
	} else {
		args = slices.Concat(args, option("--train", s.train.path), option("--val", s.val.path), option("--data-dir", s.Root), option("--classes", s.Classes))
		if m.exposed() {
			args = append(args, option("--outliers", s.exposed.path)...)
		}
	}
	return slices.Concat(args, settings.flags(), m.Set.assignments("--set"))
}

// exportArgs are those of the export of a trained network.
func exportArgs(p *Part) []string {
	s := p.source
	name := strings.ReplaceAll(strings.Trim(p.Data+"-"+p.Method, "-"), " ", "-")
	return slices.Concat([]string{"--checkpoint=" + p.needs.path(bestCheckpoint), "--name=" + name, "--calibrate=" + s.val.path}, option("--data-dir", s.val.root))
}

// learning are further arguments of an export, whose score may be one that learns from images:
// it is the one that the training's method is published with, which the checkpoint says. What
// is wrong with that, ascood-export tells.
func (e Evaluation) learning(p *Part) []string {
	f, err := checkpoint.Open(p.needs.path(bestCheckpoint))
	if err != nil {
		return nil
	}
	published, err := artifact.PublishedScore(f.Meta.Training)
	if err != nil || !learns(string(published.Score.Name)) {
		return nil
	}
	return append(option("--id-train", p.source.train.path), e.bank()...)
}

// bank is how many training images scores learn from, if not from all.
func (e Evaluation) bank() []string {
	if e.Bank == 0 {
		return nil
	}
	return []string{"--bank=" + strconv.Itoa(e.Bank)}
}

// flagged is a set of images with the beginning of the argument that names it.
type flagged struct {
	flag string
	images
}

// args are those of an evaluation, which keeps what it has found in the part's folder.
func (e Evaluation) args(p *Part) ([]string, error) {
	s := p.source
	args := []string{"--model=" + p.needs.path(modelFile), "--output=" + p.folder, "--save-score", "--postprocessor=" + strings.Join(p.scores, ",")}
	for _, name := range e.Set.names() {
		if score, _, _ := strings.Cut(name, "."); slices.Contains(p.scores, score) {
			args = append(args, "--set="+name+"="+text(e.Set[name]))
		}
	}
	if !e.search() {
		args = append(args, "--aps=false")
	}
	if slices.ContainsFunc(p.scores, learns) {
		args = append(args, e.bank()...)
	}
	switch {
	case s.preset == nil:
		return slices.Concat(args, option("--data-root", s.Root), named(p.sets())), nil
	case p.Kind == Evaluate:
		return append(args, "--preset="+s.Preset, "--data-root="+s.dataRoot, fmt.Sprintf("--far-extra=%v", e.farExtra())), nil
	}
	sets := p.sets() // in lists that start from several folders
	for i := range sets {
		var err error
		if sets[i].path, err = listUnder(s.dataRoot, p.folder, sets[i].images); err != nil {
			return nil, err
		}
	}
	return slices.Concat(args, []string{"--data-root=" + s.dataRoot, "--truncated=fill"}, named(sets)), nil
}

// sets are the images of an evaluation: of the test or, for a candidate of a search, those of
// the validation alone.
func (p *Part) sets() []flagged {
	s := p.source
	sets := []flagged{{"--id-train=", s.train}, {"--id-val=", s.val}, {"--ood-val=", s.valOOD}}
	if p.Kind == Validate {
		return append(sets, flagged{"--id=", s.val}, flagged{"--far=" + validationSet + "=", s.valOOD})
	}
	sets = append(sets, flagged{"--id=", s.test})
	for _, n := range s.near {
		sets = append(sets, flagged{"--near=" + n.name + "=", n.images})
	}
	for _, n := range s.far {
		sets = append(sets, flagged{"--far=" + n.name + "=", n.images})
	}
	return sets
}

// named are the arguments of those sets that there are.
func named(sets []flagged) (args []string) {
	for _, set := range sets {
		if set.path != "" {
			args = append(args, set.flag+set.path)
		}
	}
	return args
}

// listUnder writes a list of images with paths from one folder, and returns its name.
func listUnder(root, folder string, i images) (string, error) {
	if i.path == "" {
		return "", nil
	}
	from, err := filepath.Rel(root, i.root)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for k := range i.all.Len() {
		fmt.Fprintf(&lines, "%s %d\n", filepath.ToSlash(filepath.Join(from, i.all.Name(k))), i.all.Label(k))
	}
	path := filepath.Join(folder, "list-"+i.digest[:short]+".txt")
	return path, atomicfile.WriteFile(path, []byte(lines.String()))
}

// learns reports whether a score learns from training images.
func learns(score string) bool {
	m, err := posthoc.New(score)
	return err == nil && m.Needs().Train
}

// Programs lists those that a study runs.
func Programs() []string { return []string{trainProgram, exportProgram, evalProgram} }
