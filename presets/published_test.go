package presets

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestPublishedTables: rows are those of the preset's sets, and each mean is that of its
// rows, as far as two decimals say.
func TestPublishedTables(t *testing.T) {
	count := 0
	for _, name := range Names() {
		p := load(t, name)
		tables, err := p.Published()
		if err != nil {
			t.Fatal(err)
		}
		count += len(tables)
		seen := map[string]bool{}
		for _, table := range tables {
			if seen[table.String()] {
				t.Errorf("%s: two tables of %v", name, table)
			}
			seen[table.String()] = true
			if !slices.Contains(p.Methods, table.Method) || !strings.HasPrefix(table.Source, "https://") {
				t.Errorf("%s: table of %v from %q", name, table, table.Source)
			}
			var names []string
			for _, group := range []struct {
				role Role
				mean string
			}{{Near, "nearood"}, {Far, "farood"}} {
				var sum [5]float64
				sets := p.Select(group.role)
				for _, s := range sets {
					names = append(names, s.Name)
					for k, v := range numbers(t, table, s.Name) {
						sum[k] += v / float64(len(sets))
					}
				}
				names = append(names, group.mean)
				for k, v := range numbers(t, table, group.mean) {
					if math.Abs(v-sum[k]) > 0.011 {
						t.Errorf("%s, %v: column %d of %s is %v, the mean of its sets is %.3f", name, table, k+1, group.mean, v, sum[k])
					}
				}
			}
			if len(table.Rows) != len(names) {
				t.Errorf("%s, %v: %d rows, want those of %v", name, table, len(table.Rows), names)
			}
		}
	}
	if count != 12 {
		t.Errorf("%d published tables, want 12", count)
	}
}

// numbers are the values of a row of a published table.
func numbers(t *testing.T, table Published, name string) (values [5]float64) {
	t.Helper()
	at := slices.IndexFunc(table.Rows, func(row [6]string) bool { return row[0] == name })
	if at < 0 {
		t.Fatalf("%v has no row %s", table, name)
	}
	for k, cell := range table.Rows[at][1:] {
		number, _, _ := strings.Cut(cell, " ± ")
		v, err := strconv.ParseFloat(number, 64)
		if err != nil {
			t.Fatal(err)
		}
		values[k] = v
	}
	return values
}
