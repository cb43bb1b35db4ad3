package metrics

import (
	"bytes"
	"io"
	"reflect"
	"testing"
)

var (
	letters = Row{"letters", Metrics{0.5, 0.25, 0.75, 1, 0.125}}
	noise   = Row{"noise", Metrics{0.25, 0.75, 0.5, 0.5, 0.375}}
	clothes = Row{"clothes", Metrics{1, 0.5, 0, 0.25, 0.125}}
)

func TestTable(t *testing.T) {
	nearMean := Row{"nearood", Metrics{0.375, 0.5, 0.625, 0.75, 0.25}}
	farMean := Row{"farood", clothes.Metrics}
	for _, c := range []struct{ near, far, want []Row }{
		{[]Row{letters, noise}, []Row{clothes}, []Row{letters, noise, nearMean, clothes, farMean}},
		{nil, []Row{clothes}, []Row{clothes, farMean}},
		{[]Row{letters, noise}, nil, []Row{letters, noise, nearMean}},
	} {
		if got := Table(c.near, c.far); !reflect.DeepEqual(got, c.want) {
			t.Errorf("the table is %v, want %v", got, c.want)
		}
	}
}

func TestLines(t *testing.T) {
	got := Lines([]Row{letters, noise})
	want := []Line{{"letters", [5]string{"50.00", "25.00", "75.00", "100.00", "12.50"}}, {"noise", [5]string{"25.00", "75.00", "50.00", "50.00", "37.50"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the lines are %v, want %v", got, want)
	}
	// Half the difference of two runs is their standard deviation.
	other := Row{"letters", Metrics{1, 0.25, 0.25, 0.5, 0.375}}
	got = SpreadLines([][]Row{{letters}, {other}})
	want = []Line{{"letters", [5]string{"75.00 ± 25.00", "25.00 ± 0.00", "50.00 ± 25.00", "75.00 ± 25.00", "25.00 ± 12.50"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the lines are %v, want %v", got, want)
	}
}

func TestWriteTable(t *testing.T) {
	for _, c := range []struct {
		write func(io.Writer, []Line) error
		want  string
	}{
		{WriteTable, "" +
			"           FPR@95  AUROC  AUPR_IN  AUPR_OUT    ACC\n" +
			"  letters   50.00  25.00    75.00    100.00  12.50\n" +
			"    noise   25.00  75.00    50.00     50.00  37.50\n"},
		{WriteCSV, "" +
			",FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC\n" +
			"letters,50.00,25.00,75.00,100.00,12.50\n" +
			"noise,25.00,75.00,50.00,50.00,37.50\n"},
	} {
		var out bytes.Buffer
		if err := c.write(&out, Lines([]Row{letters, noise})); err != nil || out.String() != c.want {
			t.Errorf("wrote (%v)\n%s\nwant\n%s", err, out.String(), c.want)
		}
	}
}
