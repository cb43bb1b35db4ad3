// Command mutate checks that tests notice a broken formula: gradient rules,
// outliers, losses, metrics, post-hoc scores. breaks.txt has the formulas and what
// each is broken into. For each break the tests of the package that the formula is
// in must fail, and of no other. It prints the breaks that they do not notice, and
// fails if there are any. The working tree is never touched: the compiler is given
// the broken files by -overlay.
//
//	mutate [FILE PREFIX…]    the breaks of these files alone, such as posthoc/ash.go
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// mutant is a file with one formula broken.
type mutant struct{ file, old, new string }

func (m mutant) String() string { return fmt.Sprintf("%s: %s → %s", m.file, m.old, m.new) }

func run(ctx context.Context, prefixes []string) error {
	text, err := os.ReadFile("scripts/mutate/breaks.txt")
	if err != nil {
		return fmt.Errorf("it is to be run in the repository's root folder: %w", err)
	}
	mutants, err := parse(string(text))
	if err != nil {
		return err
	}
	count, wrong := 0, 0
	for _, m := range mutants {
		if len(prefixes) > 0 && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(m.file, p) }) {
			continue
		}
		count++
		noticed, err := m.test(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			fmt.Printf("cannot be tested: %s: %v\n", m, err)
		case !noticed:
			fmt.Println("not noticed:", m)
		default:
			continue
		}
		wrong++
	}
	fmt.Printf("%d of %d broken formulas are noticed\n", count-wrong, count)
	if wrong > 0 {
		return errors.New("there are tests that say too little, or formulas that make no difference")
	}
	return nil
}

// parse reads breaks; a bar in code is written \|.
func parse(text string) ([]mutant, error) {
	var mutants []mutant
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), " | ")
		if len(parts) != 3 {
			return nil, fmt.Errorf("breaks.txt:%d: want FILE | OLD | NEW", i+1)
		}
		for k := range parts {
			parts[k] = strings.ReplaceAll(parts[k], "\x00", "|")
		}
		mutants = append(mutants, mutant{parts[0], parts[1], parts[2]})
	}
	return mutants, nil
}

// broken returns the file's text with the formula broken.
func (m mutant) broken() ([]byte, error) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("the formula stands in the file %d times, want once: breaks.txt is out of date", n)
	}
	return bytes.Replace(text, []byte(m.old), []byte(m.new), 1), nil
}

// test reports whether the package's tests fail. A mutant that does not compile is
// an error: it tests nothing.
func (m mutant) test(ctx context.Context) (noticed bool, err error) {
	text, err := m.broken()
	if err != nil {
		return false, err
	}
	temp, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(temp)
	original, err := filepath.Abs(m.file)
	if err != nil {
		return false, err
	}
	mutated, overlay := filepath.Join(temp, "mutated.go"), filepath.Join(temp, "overlay.json")
	replaced, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutated}})
	if err != nil {
		return false, err
	}
	if err := errors.Join(os.WriteFile(mutated, text, 0o600), os.WriteFile(overlay, replaced, 0o600)); err != nil {
		return false, err
	}
	dir := "./" + filepath.Dir(m.file)
	if out, err := exec.CommandContext(ctx, "go", "vet", "-overlay", overlay, dir).CombinedOutput(); err != nil && bytes.Contains(out, []byte("vet: ")) {
		return false, fmt.Errorf("it does not compile:\n%s", out)
	}
	tests := exec.CommandContext(ctx, "go", "test", "-vet=off", "-failfast", "-timeout=5m", "-overlay", overlay, dir)
	err = tests.Run()
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return false, exit
	}
	return err != nil, nil
}
