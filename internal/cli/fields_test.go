package cli

import (
	"fmt"
	"io"
	"testing"

	"github.com/ascood/ascood"
)

func TestFlagNames(t *testing.T) {
	fs := NewFlags("prog", "", io.Discard)
	fs.Int("p-inv", 0, "")
	fs.String("preset", "", "")
	err := ascood.Errorf(ascood.Invalid, "%s 2 and %s and %s", ascood.Field("p_inv"), ascood.Field("arch"), ascood.Field("width"))
	named := FlagNames{"arch": "preset"}.In(fs, fmt.Errorf("run: %w", err))
	if want := "run: --p-inv 2 and --preset and width"; named.Error() != want || ascood.CodeOf(named) != ascood.Invalid {
		t.Errorf("%q with code %s, want %q", named, ascood.CodeOf(named), want)
	}
	if err := (FlagNames{}).In(fs, nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}
