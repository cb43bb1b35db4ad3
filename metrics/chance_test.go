package metrics

import "testing"

func TestAtChance(t *testing.T) {
	for _, c := range []struct {
		correct, n, classes int
		want                bool
	}{
		{20, 100, 5, true}, {31, 100, 5, true}, {33, 100, 5, false}, {0, 100, 5, true},
		{50, 100, 2, true}, {57, 100, 2, true}, {58, 100, 2, false},
		{20, 100, 10, true}, {21, 100, 10, false}, {93, 100, 10, false},
		{2, 1000, 1000, true}, {3, 1000, 1000, false},
		{0, 9, 10, false}, {0, 10, 10, true},
	} {
		if got := AtChance(c.correct, c.n, c.classes); got != c.want {
			t.Errorf("%d of %d right of %d classes: at chance is %v", c.correct, c.n, c.classes, got)
		}
	}
}
