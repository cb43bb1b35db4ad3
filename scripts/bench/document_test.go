package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTable: lines are of the table's benchmarks, columns without values are left out.
func TestTable(t *testing.T) {
	given := table{rows: "network", bench: []string{"BenchmarkA"}, columns: []column{{unit: "ms", head: "time"}, {unit: "ns/op", head: "s", scale: 1e-9}, {unit: "none", head: "none"}}}
	got := given.String([]result{
		{"batch=1/some_net", "BenchmarkA", map[string]float64{"ms": 1234.5, "ns/op": 1.5e9}},
		{"", "BenchmarkA", map[string]float64{"ms": 0.012345}},
		{"x", "BenchmarkB", map[string]float64{"ms": 1}},
	})
	want := `
| network | time | s |
|---|---:|---:|
| batch 1, some net | 1234 | 1.50 |
| A | 0.0123 |  |
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := given.String(nil); got != "" {
		t.Errorf("a table without lines is %q", got)
	}
}

// TestHistory: a document has the lines of the one before, and its own.
func TestHistory(t *testing.T) {
	d := document{about: []fact{{"ascood", "1.2.3"}}, sections: []filled{{section{title: "Scoring"}, []result{
		{figures[0].name, figures[0].bench, map[string]float64{figures[0].unit: 3.25}},
	}}}}
	d.history = []string{d.line()}
	if got := history(d.String()); len(got) != 1 || !strings.Contains(got[0], "| 1.2.3 |") || !strings.Contains(got[0], "| 3.25 |") {
		t.Errorf("the history is %q", got)
	}
	if got := history("# Benchmarks\n"); got != nil {
		t.Errorf("the history of nothing is %q", got)
	}
}

// TestJob reads what a command prints as Go's benchmarks do, with their own units.
func TestJob(t *testing.T) {
	file := t.TempDir() + "/main.go"
	program := `package main

import "os"

func main() { os.Stdout.WriteString("BenchmarkA/b=1-8 3 2000 ns/op 5 MB 7 x/y\nPASS\n") }
`
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := job{args: []string{"run", file}}.do(t.Context(), true, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].bench != "BenchmarkA" || got[0].name != "b=1" || got[0].values["ns/op"] != 2000 || got[0].values["MB"] != 5 || got[0].values["x/y"] != 7 {
		t.Errorf("got %v", got)
	}
	if got, err := (job{args: []string{"run", file}, quick: []string{}}).do(t.Context(), true, io.Discard); got != nil || err != nil {
		t.Errorf("a job that a quick run leaves out: %v, error %v", got, err)
	}
}

// TestBenchmarksExist: what the sections run and show is there.
func TestBenchmarksExist(t *testing.T) {
	name := regexp.MustCompile(`\^(Benchmark\w+)\$`)
	for _, s := range sections() {
		for _, j := range s.jobs {
			if j.args[0] != "test" {
				continue
			}
			folder := "../../" + strings.TrimPrefix(j.args[1], "./")
			for _, match := range name.FindAllStringSubmatch(strings.Join(j.args, " "), -1) {
				if !declares(t, folder, match[1]) {
					t.Errorf("%s has no %s", j.args[1], match[1])
				}
			}
		}
	}
}

func declares(t *testing.T, folder, bench string) bool {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") {
			text, err := os.ReadFile(folder + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "func "+bench+"(b *testing.B)") {
				return true
			}
		}
	}
	return false
}
