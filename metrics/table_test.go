package metrics

import (
	"bytes"
	"io"
	"reflect"
	"testing"
)

var (
	letters = Row{"letters", Metrics{0.5, 0.25, 0.75, 1, 0.125}, Skipped{2, 1}}
	noise   = Row{"noise", Metrics{0.25, 0.75, 0.5, 0.5, 0.375}, Skipped{2, 4}}
	clothes = Row{"clothes", Metrics{1, 0.5, 0, 0.25, 0.125}, Skipped{2, 0}}
)

func TestTable(t *testing.T) {
	both, skipped := Metrics{0.375, 0.5, 0.625, 0.75, 0.25}, Skipped{2, 5}
	nearMean := Row{"nearood", both, skipped}
	farMean := Row{"farood", clothes.Metrics, clothes.Skipped}
	for _, c := range []struct {
		groups Groups
		want   []Row
	}{
		{Groups{Near: []Row{letters, noise}, Far: []Row{clothes}}, []Row{letters, noise, nearMean, clothes, farMean}},
		{Groups{Far: []Row{clothes}}, []Row{clothes, farMean}},
		{Groups{Near: []Row{letters, noise}}, []Row{letters, noise, nearMean}},
		// The extra far sets change the mean of the others in no way, further ones change none.
		{Groups{Far: []Row{letters}, FarExtra: []Row{noise}, Further: []Row{clothes}},
			[]Row{letters, {"farood", letters.Metrics, letters.Skipped}, noise, {"farood+noise", both, skipped}, clothes}},
	} {
		if got := c.groups.Table(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("the table is %v, want %v", got, c.want)
		}
	}
}

func TestLines(t *testing.T) {
	got := Lines([]Row{letters, noise}, false)
	want := []Line{{"letters", []string{"50.00", "25.00", "75.00", "100.00", "12.50"}}, {"noise", []string{"25.00", "75.00", "50.00", "50.00", "37.50"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the lines are %v, want %v", got, want)
	}
	// Half the difference of two runs is their standard deviation.
	other := Row{Name: "letters", Metrics: Metrics{1, 0.25, 0.25, 0.5, 0.375}}
	got = SpreadLines([][]Row{{letters}, {other}}, true)
	want = []Line{{"letters", []string{"75.00 ± 25.00", "25.00 ± 0.00", "50.00 ± 25.00", "75.00 ± 25.00", "25.00 ± 12.50", "2", "1"}}}
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
		{func(w io.Writer, _ []Line) error { return WriteTable(w, Lines([]Row{noise}, true)) }, "" +
			"         FPR@95  AUROC  AUPR_IN  AUPR_OUT    ACC  skipped_ID  skipped_OOD\n" +
			"  noise   25.00  75.00    50.00     50.00  37.50           2            4\n"},
		{WriteCSV, "" +
			",FPR@95,AUROC,AUPR_IN,AUPR_OUT,ACC\n" +
			"letters,50.00,25.00,75.00,100.00,12.50\n" +
			"noise,25.00,75.00,50.00,50.00,37.50\n"},
	} {
		var out bytes.Buffer
		if err := c.write(&out, Lines([]Row{letters, noise}, false)); err != nil || out.String() != c.want {
			t.Errorf("wrote (%v)\n%s\nwant\n%s", err, out.String(), c.want)
		}
	}
}
