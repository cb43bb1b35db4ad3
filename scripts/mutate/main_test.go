package main

import (
	"os"
	"testing"
)

// TestBreaksAreCurrent: each formula still stands where breaks.txt says.
func TestBreaksAreCurrent(t *testing.T) {
	text, err := os.ReadFile("breaks.txt")
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := parse(string(text))
	if err != nil || len(mutants) < 100 {
		t.Fatalf("%d breaks, %v", len(mutants), err)
	}
	t.Chdir("../..")
	for _, m := range mutants {
		if _, err := m.broken(); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
}

func TestParse(t *testing.T) {
	mutants, err := parse("# note\n\na/b.go | x \\|\\| y | x\n")
	if err != nil || len(mutants) != 1 || mutants[0] != (mutant{"a/b.go", "x || y", "x"}) {
		t.Errorf("%q, %v", mutants, err)
	}
	if _, err := parse("a/b.go | x"); err == nil {
		t.Error("no error on a line without a replacement")
	}
}
