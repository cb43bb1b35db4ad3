package dataset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// broken returns why images of the batch could not be loaded.
func (b Batch) broken() []error {
	return slices.DeleteFunc(slices.Clone(b.Errs), func(err error) bool { return err == nil })
}

// allBroken is the error that names the images of a batch that cannot be loaded, and
// those of all that follow.
func (l *loader) allBroken(ctx context.Context, s *slot) error {
	broken := s.broken()
	for l.made < l.count() {
		l.free <- s
		var err error
		if s, err = l.next(ctx); err != nil {
			return err
		}
		broken = append(broken, s.broken()...)
	}
	if len(broken) == 1 {
		return broken[0]
	}
	return ascood.Errorf(ascood.CodeOf(broken[0]), "%d of %d images cannot be loaded:\n%w", len(broken), len(l.order), Named(broken))
}

// Named is the error that names images that cannot be loaded, a line each: the first
// few, and how many there are besides.
func Named(broken []error) error {
	return ascood.Errorf(ascood.CodeOf(broken[0]), "%s", someLines(len(broken), func(i int) string { return broken[i].Error() }))
}

// someLines has an indented line for each of n things, the first few of many.
func someLines(n int, line func(i int) string) string {
	const most = 10
	var lines []string
	for i := range min(n, most) {
		lines = append(lines, "  "+line(i))
	}
	if n > most {
		lines = append(lines, fmt.Sprintf("  and %d more", n-most))
	}
	return strings.Join(lines, "\n")
}
