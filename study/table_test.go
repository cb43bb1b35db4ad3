package study

import (
	"strings"
	"testing"
)

func cellOf(want int, values ...float64) cell {
	c := cell{values: values, want: want}
	for _, v := range values {
		c.mean += v / float64(len(values))
	}
	return c
}

// TestRank: the best and the second of a column, as they are shown; lower is better for
// FPR@95; what is incomplete has no rank.
func TestRank(t *testing.T) {
	tab := &table{columns: []column{{"clothes", "far", "FPR@95"}, {"clothes", "far", "AUROC"}}}
	for i, values := range [][2][]float64{{{10}, {80.001}}, {{10.004}, {80.002}}, {{30}, {70}}, {{20}, {99}}, {nil, nil}} {
		r := row{method: string(rune('A' + i)), score: "msp"}
		for _, v := range values {
			r.cells = append(r.cells, cellOf(1, v...))
		}
		tab.rows = append(tab.rows, r)
	}
	tab.rows = append(tab.rows, row{method: "half", score: "msp", cells: []cell{cellOf(2, 0), cellOf(2, 100)}})
	tab.rows = append(tab.rows, row{method: "elsewhere", score: "msp", cells: []cell{{}, {}}})
	for k := range tab.columns {
		tab.rank(k)
	}
	for i, want := range [][2]int{{1, 2}, {1, 2}, {0, 0}, {2, 1}, {0, 0}, {0, 0}, {0, 0}} {
		if got := tab.rows[i].cells; got[0].rank != want[0] || got[1].rank != want[1] {
			t.Errorf("%s: ranks %d and %d, want %v", tab.rows[i].method, got[0].rank, got[1].rank, want)
		}
	}
	var text strings.Builder
	if err := tab.markdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| method | score | clothes far FPR@95↓ | clothes far AUROC↑ |\n|---|---|---:|---:|\n",
		"| A | msp | **10.00 ± 0.00** | <u>80.00 ± 0.00</u> |\n", "| E | msp | – | – |\n",
		"| half | msp | 0.00 ± 0.00 (1 of 2) | 100.00 ± 0.00 (1 of 2) |\n", "| elsewhere | msp |  |  |\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
}

func TestLaTeX(t *testing.T) {
	tab := &table{title: "100% of A_1", columns: []column{{"a_b", "far", "FPR@95"}}, rows: []row{
		{method: "h/‖h‖ & more", score: "msp", cells: []cell{{values: []float64{1, 3}, want: 2, mean: 2, std: 1, rank: 1}}},
		{method: "B", score: "msp", cells: []cell{{values: []float64{2, 4}, want: 2, mean: 3, std: 1, rank: 2}}},
	}}
	var text strings.Builder
	if err := tab.latex(&text); err != nil {
		t.Fatal(err)
	}
	want := `% 100\% of A\_1
\begin{tabular}{llr}
\toprule
method & score & a\_b far FPR@95$\downarrow$ \\
\midrule
h/‖h‖ \& more & msp & \textbf{2.00 $\pm$ 1.00} \\
B & msp & \underline{3.00 $\pm$ 1.00} \\
\bottomrule
\end{tabular}
`
	if text.String() != want {
		t.Errorf("%s\nwant\n%s", text.String(), want)
	}
}
