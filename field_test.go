package ascood

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	flag := func(f Field) string { return "--" + strings.ReplaceAll(string(f), "_", "-") }
	low := Errorf(Invalid, "%s %g is larger than %s %g", Field("alpha_min"), 3.0, Field("alpha_max"), 2.0)
	for _, test := range []struct {
		err         error
		plain, said string
	}{
		{low, "alpha_min 3 is larger than alpha_max 2", "--alpha-min 3 is larger than --alpha-max 2"},
		{fmt.Errorf("seed 7: %w", low), "seed 7: alpha_min 3 is larger than alpha_max 2", "seed 7: --alpha-min 3 is larger than --alpha-max 2"},
		{In("data_dir", fmt.Errorf("x: %w", io.EOF)), "data_dir: x: EOF", "--data-dir: x: EOF"},
		{errors.Join(low, In("data_dir", io.EOF)), "alpha_min 3 is larger than alpha_max 2\ndata_dir: EOF", "--alpha-min 3 is larger than --alpha-max 2\n--data-dir: EOF"},
		{In("config", low), "config: alpha_min 3 is larger than alpha_max 2", "--config: --alpha-min 3 is larger than --alpha-max 2"},
		{&Error{Code: Busy, Message: "data_dir"}, "data_dir", "data_dir"},
		{io.EOF, "EOF", "EOF"},
	} {
		if got := test.err.Error(); got != test.plain {
			t.Errorf("%q, want %q", got, test.plain)
		}
		if got := Describe(test.err, flag); got != test.said {
			t.Errorf("described as %q, want %q", got, test.said)
		}
	}
	if err := In("train", low); CodeOf(err) != Invalid || !errors.Is(err, low) {
		t.Errorf("%v has lost its code or its cause", err)
	}
	if err := In("train", io.EOF); CodeOf(err) != Internal {
		t.Errorf("%v has code %s", err, CodeOf(err))
	}
}
