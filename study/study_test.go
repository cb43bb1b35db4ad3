package study

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

// images are a few real ones, which the tests of package eval have.
const testImages = "../eval/testdata/images"

// miniature is a plan on them: a plain network, one whose settings are searched, and one that
// starts from the first.
const miniature = `{
  "title": "Miniature", "seeds": [0, 1], "scores": ["msp", "knn"],
  "evaluation": {"set": {"knn.k": 5}},
  "training": {"arch": "lenet", "epochs": 2},
  "data": [{"name": "clothes", "train": "IMAGES/train-images-idx3-ubyte.gz[:50]", "val": "IMAGES/val_id-images-idx3-ubyte.gz",
    "test": "IMAGES/test_id-images-idx3-ubyte.gz", "ood_val": "IMAGES/val_ood-images-idx3-ubyte.gz",
    "outliers": "IMAGES/val_ood-images-idx3-ubyte.gz[:20]", "far": [{"name": "digits", "images": "IMAGES/test_ood-images-idx3-ubyte.gz"}]}],
  "methods": [
    {"name": "CE", "method": "ce"},
    {"name": "ASCOOD", "method": "ascood", "scores": ["msp"], "search": {"score": "msp", "training": {"w": [0.1, 1, 5]}}},
    {"name": "MixOE", "method": "mixoe", "from": "CE", "set": {"alpha": 0.2}, "scores": ["msp"]}
  ]
}`

// plan loads a plan from its text, with the replacements old, new, ….
func plan(t *testing.T, text string, replacements ...string) (*Plan, error) {
	t.Helper()
	images, err := filepath.Abs(testImages)
	if err != nil {
		t.Fatal(err)
	}
	text = strings.NewReplacer(replacements...).Replace(text)
	path := filepath.Join(t.TempDir(), "miniature.json")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "IMAGES", images)), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func sound(t *testing.T, replacements ...string) *Plan {
	t.Helper()
	p, err := plan(t, miniature, replacements...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// study is one in a folder, with the programs.
func study(t *testing.T, plan *Plan, folder string, p *programs) *Study {
	t.Helper()
	if p.done == nil {
		p.done = map[string]int{}
	}
	s, err := New(plan, Options{Folder: folder, Jobs: 1, Threads: 1, Program: p.run, Say: func(line string) { p.said = append(p.said, line) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The miniature's parts: two runs of CE, three candidates and a further run of ASCOOD, since
// one is a candidate's, and two of MixOE; each with export, and each evaluated.
const (
	trainings   = 2 + 3 + 1 + 2
	evaluations = 2 + 3 + 2 + 2
)

func TestRun(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	if err := study(t, sound(t), folder, p).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.calls != 2*trainings+evaluations || len(p.done) != p.calls {
		t.Errorf("%d runs of programs in %d folders, want %d", p.calls, len(p.done), 2*trainings+evaluations)
	}
	before := read(t, folder, markdownFile)
	for _, want := range []string{"Miniature\n", "| method | score | clothes far FPR@95↓ | clothes far AUROC↑ |", "| CE | msp |", "| CE | knn |", "| ASCOOD | msp |", "| MixOE | msp |", "**", "<u>"} {
		if !strings.Contains(before, want) {
			t.Errorf("no %q in\n%s", want, before)
		}
	}
	if rows, err := csv.NewReader(strings.NewReader(read(t, folder, seedsFile))).ReadAll(); err != nil || len(rows) != 1+2*2*(2+1+1) {
		t.Errorf("%d lines of seeds, %v", len(rows), err)
	}

	// Nothing is done twice.
	p.calls = 0
	if err := study(t, sound(t), folder, p).Run(t.Context()); err != nil || p.calls != 0 {
		t.Errorf("again: %d runs of programs, %v", p.calls, err)
	}
	if after := read(t, folder, markdownFile); after != before {
		t.Errorf("another table:\n%s\n%s", after, before)
	}
}

// TestChangedPlan: what is unchanged is kept, what is changed is done, and that is said.
func TestChangedPlan(t *testing.T) {
	folder := t.TempDir()
	if err := study(t, sound(t), folder, &programs{}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name         string
		replacements []string
		calls        int
		says         string
	}{
		{"a hyperparameter of one method", []string{`"alpha": 0.2`, `"alpha": 0.3`}, 2 * 3, "6 parts have changed, which are done anew: train, clothes, MixOE, seed 0; export"},
		{"the name of a method alone", []string{`"name": "MixOE"`, `"name": "Mix"`}, 0, "of an earlier plan stay in the folder"},
		{"a further seed", []string{"[0, 1]", "[0, 1, 2]"}, 3 * 3, ""},
		{"a further score", []string{`"from": "CE", "set": {"alpha": 0.2}, "scores": ["msp"]`, `"from": "CE", "set": {"alpha": 0.2}, "scores": ["msp", "ebo"]`}, 2, "2 parts have changed"},
		{"the number of test images", []string{"test_ood-images-idx3-ubyte.gz", "test_ood-images-idx3-ubyte.gz[:9]"}, 6, "6 parts have changed"},
		{"a further candidate", []string{"[0.1, 1, 5]", "[0.1, 1, 5, 10]"}, -1, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			own, p := t.TempDir(), &programs{}
			if err := os.CopyFS(own, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			if err := study(t, sound(t, test.replacements...), own, p).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if test.calls >= 0 && p.calls != test.calls {
				t.Errorf("%d runs of programs, want %d: %q", p.calls, test.calls, p.said)
			}
			if test.calls < 0 && (p.calls < 3 || p.calls > 3+3*2) { // another may be the best
				t.Errorf("%d runs of programs: %q", p.calls, p.said)
			}
			if said := strings.Join(p.said, "\n"); !strings.Contains(said, test.says) {
				t.Errorf("%q is not in\n%s", test.says, said)
			}
		})
	}
}

// TestResume stops the study in each of its parts, and goes on.
func TestResume(t *testing.T) {
	whole := t.TempDir()
	if err := study(t, sound(t), whole, &programs{}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	folder, p := t.TempDir(), &programs{done: map[string]int{}}
	stops := 0
	for stop := 1; ; stop++ {
		if stop > 100 {
			t.Fatal("it does not end")
		}
		ctx, cancel := context.WithCancel(t.Context())
		p.calls = 0
		p.fail = func(call int, name string, args []string) error {
			if call < 2 || slices.Contains(args, "--resume") {
				return nil
			}
			cancel() // the second part of each time is stopped
			return ctx.Err()
		}
		err := study(t, sound(t), folder, p).Run(ctx)
		cancel()
		if err == nil {
			break
		}
		if stops++; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the same command goes on") {
			t.Fatalf("stopped: %v", err)
		}
	}
	if stops < trainings {
		t.Errorf("stopped %d times", stops)
	}
	if p.resumed == 0 {
		t.Error("no training was resumed")
	}
	for part, times := range p.done {
		if times != 1 {
			t.Errorf("%s was done %d times", part, times)
		}
	}
	// Scores depend on the folders' names, which are those of the digests.
	if got, want := read(t, folder, partsFile), read(t, whole, partsFile); strings.Count(got, ",done,") != strings.Count(want, ",done,") {
		t.Errorf("parts\n%s\nwant\n%s", got, want)
	}
}

// TestKilled: what a killed study has left is not taken for done.
func TestKilled(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	if err := study(t, sound(t), folder, p).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts, err := filepath.Glob(filepath.Join(folder, "parts", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range parts {
		if i%4 > 0 { // some of each kind
			continue
		}
		if err := os.Remove(filepath.Join(part, doneFile)); err != nil {
			t.Fatal(err)
		}
		p.calls = 0
		if err := study(t, sound(t), folder, p).Run(t.Context()); err != nil || p.calls != 1 {
			t.Errorf("%s: %d runs of programs, %v", part, p.calls, err)
		}
	}
}

func TestFailure(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	p.fail = func(_ int, name string, args []string) error {
		if name == trainProgram && slices.Contains(args, "--method=ce") && slices.Contains(args, "--seed=1") {
			return errors.New("the disk is full")
		}
		return nil
	}
	err := study(t, sound(t), folder, p).Run(t.Context())
	if err == nil {
		t.Fatal("it succeeded")
	}
	for _, want := range []string{"6 parts failed; the same command tries them again", "train, clothes, CE, seed 1: ascood-train: the disk is full (" + folder, "evaluate, clothes, CE, seed 1: not done, as it needs what has failed",
		"train, clothes, MixOE, seed 1: not done"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if calls := 2*trainings + evaluations - 6 + 1; p.calls != calls {
		t.Errorf("%d runs of programs, want %d", p.calls, calls)
	}
	table := read(t, folder, markdownFile)
	if !strings.Contains(table, "(1 of 2)") {
		t.Errorf("the table does not say that a seed is missing:\n%s", table)
	}
	if page := read(t, folder, pageFile); !strings.Contains(page, "the disk is full") || !strings.Contains(page, "6 parts are not done") {
		t.Error("the page does not say what failed")
	}
	p.fail, p.calls = nil, 0
	if err := study(t, sound(t), folder, p).Run(t.Context()); err != nil || p.calls != 6 {
		t.Errorf("again: %d runs of programs, %v", p.calls, err)
	}
}

// TestFailedSearch: without all of its candidates a search decides nothing.
func TestFailedSearch(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	p.fail = func(_ int, name string, args []string) error {
		if name == trainProgram && slices.Contains(args, "--w=5") {
			return errors.New("the loss is not a number")
		}
		return nil
	}
	err := study(t, sound(t), folder, p).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "train, clothes, ASCOOD with w=5, seed 0: ascood-train: the loss is not a number") || !strings.Contains(err.Error(), "1 method cannot be trained") {
		t.Errorf("%v", err)
	}
	if searched := read(t, folder, searchFile); strings.Contains(searched, "true") || strings.Count(searched, "\n") != 4 {
		t.Errorf("searched\n%s", searched)
	}
}

// TestSearch: the best on the validation images is taken, and its run of that seed is not
// made again.
func TestSearch(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	s := study(t, sound(t), folder, p)
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(read(t, folder, searchFile))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%v, %v", rows, err)
	}
	best, chosen := 0, 0
	for i, row := range rows[1:] {
		if row[5] > rows[best+1][5] {
			best = i
		}
		if row[6] == "true" {
			chosen = i
		}
	}
	if best != chosen {
		t.Errorf("candidate %d is chosen, but %d is the best: %v", chosen, best, rows)
	}
	for _, part := range s.x.parts {
		if part.Kind == Train && part.Method == "ASCOOD" && part.Seed == 1 && !slices.Contains(part.args, "--"+rows[chosen+1][4]) {
			t.Errorf("%v is trained, chosen is %s", part.args, rows[chosen+1][4])
		}
		if part.Kind == Validate {
			args, err := s.args(part)
			if err != nil || strings.Contains(strings.Join(args, " "), "test_") {
				t.Errorf("a search looks at the test images: %v, %v", args, err)
			}
		}
	}
}

func TestJobs(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	s := study(t, sound(t), folder, p)
	s.opt.Jobs = 4
	if err := s.Run(t.Context()); err != nil || p.calls != 2*trainings+evaluations {
		t.Errorf("%d runs of programs, %v", p.calls, err)
	}
}

// TestArguments: what the programs are told.
func TestArguments(t *testing.T) {
	s := study(t, sound(t), t.TempDir(), &programs{})
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, part := range s.x.parts {
		args, err := s.args(part)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Join(args, " ")
		switch {
		case part.Kind == Train: // they are there, and would be gone on with
			if !strings.HasPrefix(line, "--resume --threads=1") {
				t.Errorf("%s: %s", part.Name(), line)
			}
			line = strings.Join(part.args, " ")
			for _, want := range []string{"--arch=lenet --epochs=2", "--train=/", "[:50]", "--val=/"} {
				if !strings.Contains(line, want) {
					t.Errorf("%s: %q is not in %s", part.Name(), want, line)
				}
			}
			if mixoe := part.Method == "MixOE"; mixoe != strings.Contains(line, "--outliers=/") || mixoe != strings.Contains(line, "--set=alpha=0.2") ||
				mixoe && value(part.args, "pretrained") != part.from.path(bestCheckpoint) {
				t.Errorf("%s: %s", part.Name(), line)
			}
		case part.Kind == Evaluate && part.Method == "CE":
			for _, want := range []string{"--postprocessor=msp,knn", "--set=knn.k=5", "--far=digits=/", "--id=/", "test_id", "--save-score"} {
				if !strings.Contains(line, want) {
					t.Errorf("%s: %q is not in %s", part.Name(), want, line)
				}
			}
		}
	}
}

// TestScoreThatLearns: a network whose method is published with a score that learns from
// training images is exported with these, others are not.
func TestScoreThatLearns(t *testing.T) {
	s := study(t, sound(t, `"set": {"knn.k": 5}`, `"set": {"knn.k": 5}, "bank": 20`, `"method": "ce"`, `"method": "cider"`), t.TempDir(), &programs{})
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, part := range s.x.parts {
		if part.Kind != Export {
			continue
		}
		args, err := s.args(part)
		if err != nil {
			t.Fatal(err)
		}
		images, bank := value(args, "id-train"), value(args, "bank")
		if learns := part.Method == "CE"; learns && (!strings.HasSuffix(images, "train-images-idx3-ubyte.gz[:50]") || bank != "20") || !learns && images+bank != "" {
			t.Errorf("%s: %q", part.Name(), args)
		}
	}
}

// TestMissingLists: all that are missing are named, and nothing is begun.
func TestMissingLists(t *testing.T) {
	p := sound(t, "val_id-images", "none-images", "test_ood-images", "nowhere-images")
	s, err := New(p, Options{Folder: t.TempDir(), Jobs: 1})
	if ascood.CodeOf(err) != ascood.Invalid {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"data clothes: val: stat ", "none-images-idx3-ubyte.gz: no such file", "data clothes: far digits: stat ", "nowhere-images"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	var list strings.Builder
	if err := s.List(&list); err != nil || !strings.Contains(list.String(), "train, clothes, CE, seed 0") {
		t.Errorf("%v\n%s", err, list.String())
	}
}

// TestPreflight: a configuration that a program refuses is found before others are trained.
func TestPreflight(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	s := study(t, sound(t), folder, p)
	s.opt.Program = func(ctx context.Context, name string, args []string, log io.Writer) error {
		if slices.Contains(args, "--print-config") && slices.Contains(args, "--method=mixoe") {
			fmt.Fprintln(log, "some talk\nascood-train: there is no tau\nSee ascood-train --help.")
			return errors.New("exit status 2")
		}
		return p.run(ctx, name, args, log)
	}
	err := s.Run(t.Context())
	if err == nil || p.calls != 0 || err.Error() != "nothing is begun:\ntrain, clothes, MixOE, seed 0: ascood-train: there is no tau" {
		t.Errorf("%d runs of programs, %v", p.calls, err)
	}
}
