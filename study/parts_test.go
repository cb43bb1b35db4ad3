package study

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	list := func() string {
		var text strings.Builder
		if err := study(t, sound(t), folder, p).List(&text); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	before := list()
	for _, want := range []string{"to do         ?  train, clothes, ASCOOD with w=5, seed 0\n", "later            clothes, ASCOOD: its 2 runs", "0 done, 21 to do in 0s and 21 parts of unknown length"} {
		if !strings.Contains(before, want) {
			t.Errorf("%q is not in\n%s", want, before)
		}
	}
	if p.calls != 0 {
		t.Error("something was done")
	}
	if err := study(t, sound(t), folder, p).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := list(); strings.Contains(after, "to do  ") || !strings.Contains(after, "25 parts: 25 done, 0 to do in 0s") {
		t.Errorf("afterwards\n%s", after)
	}
}

// TestProbe: trainings are estimated by a few images; nothing is left of that.
func TestProbe(t *testing.T) {
	folder, p := t.TempDir(), &programs{}
	s := study(t, sound(t), folder, p)
	s.opt.Program = func(_ context.Context, name string, args []string, _ io.Writer) error {
		p.calls++
		if name != trainProgram || value(args[slices.Index(args, "--epochs=2"):], "train-limit") != "32" || !slices.Contains(args, "--pretrained=none") {
			t.Errorf("%s %q", name, args)
		}
		return put(filepath.Join(value(args, "output"), "metrics.csv"), "epoch,images_per_second\n1,1\n2,50\n")
	}
	if err := s.Probe(t.Context()); err != nil || p.calls != 3 {
		t.Fatalf("%d probes, %v", p.calls, err)
	}
	var list strings.Builder
	if err := s.List(&list); err != nil || !strings.Contains(list.String(), "to do       ~2s  train, clothes, CE, seed 0\n") || !strings.Contains(list.String(), "to do       ~4s  export, clothes, CE, seed 0\n") {
		t.Errorf("%v\n%s", err, list.String())
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("%v is left, %v", entries, err)
	}
}

// TestTimes: parts are estimated by those that are alike, else by those of other methods.
func TestTimes(t *testing.T) {
	ce := &Part{Kind: Train, Data: "clothes", Method: "CE", Images: 100}
	oe := &Part{Kind: Train, Data: "clothes", Method: "OE", Images: 200}
	other := &Part{Kind: Train, Data: "birds", Method: "CE", Images: 100}
	m := times{map[likeness][]float64{}, map[likeness][]float64{}, nil}
	m.add(ce.likeness(), 0.5)
	if got := m.of(&Part{Kind: Evaluate, Data: "clothes", Method: "CE", Images: 10}); got != (estimate{seconds: 5, borrowed: 1}) {
		t.Errorf("an evaluation: %v", got)
	}
	if got := m.of(&Part{Kind: Export, Data: "birds", Method: "CE", Images: 10}); got != (estimate{unknown: 1}) {
		t.Errorf("nothing like it: %v", got)
	}
	if got := m.total([]*Part{ce, oe, other}, 2); got != (estimate{seconds: (50 + 100) / 2, unknown: 1, borrowed: 1}) || got.String() != "about 1m15s and 1 part of unknown length" {
		t.Errorf("%v", got)
	}
}

// TestDigest: what a part depends on changes its digest, the rest does not.
func TestDigest(t *testing.T) {
	digests := func(replacements ...string) map[string]string {
		s := study(t, sound(t, replacements...), t.TempDir(), &programs{})
		s.x.expand()
		all := map[string]string{}
		for _, p := range s.x.parts {
			all[p.Name()] = p.Digest
		}
		return all
	}
	before := digests()
	if after := digests(`"title": "Miniature"`, `"title": "Another", "notes": ["!"]`); !maps.Equal(after, before) {
		t.Error("the title changes digests")
	}
	for _, change := range [][]string{{`"epochs": 2`, `"epochs": 3`}, {"[:50]", "[:51]"}, {"val_id", "test_id"}} {
		after := digests(change...)
		for name, digest := range before {
			if after[name] == digest {
				t.Errorf("%v does not change that of %s", change, name)
			}
		}
	}
	var seen []string
	for _, digest := range before {
		if slices.Contains(seen, digest) {
			t.Error("two parts have one digest")
		}
		seen = append(seen, digest)
	}
}
