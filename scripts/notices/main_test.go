package main

import (
	"os"
	"strings"
	"testing"
)

// TestNoticesAreCurrent: the document is of the modules that the programs link now.
func TestNoticesAreCurrent(t *testing.T) {
	if _, err := os.ReadFile("../../go.mod"); err != nil { // so that go test knows that the result depends on it
		t.Fatal(err)
	}
	want, err := notices()
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../THIRD_PARTY_NOTICES.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) == want {
		return
	}
	haveLines, wantLines := strings.Split(string(have), "\n"), strings.Split(want, "\n")
	for i := range min(len(haveLines), len(wantLines)) {
		if haveLines[i] != wantLines[i] {
			t.Fatalf("THIRD_PARTY_NOTICES.md has %q in line %d, want %q: run make notices", haveLines[i], i+1, wantLines[i])
		}
	}
	t.Fatalf("THIRD_PARTY_NOTICES.md has %d lines, want %d: run make notices", len(haveLines), len(wantLines))
}

// TestLicence: a text that is no licence known is not taken for one.
func TestLicence(t *testing.T) {
	for text, want := range map[string]string{
		"Redistribution and use in source and binary forms … Neither the name of …": "BSD-3-Clause",
		"Redistribution and use in source and binary forms …":                       "BSD-2-Clause",
		"GNU GENERAL PUBLIC LICENSE":                                                "",
		"":                                                                          "",
	} {
		if got := licence(text); got != want {
			t.Errorf("%q is taken for %q, want %q", text, got, want)
		}
	}
}
