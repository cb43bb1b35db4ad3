package ascood

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestCodeOf(t *testing.T) {
	inner := Errorf(TooLarge, "a file of %d bytes: %w", 9, io.ErrUnexpectedEOF)
	outer := fmt.Errorf("upload: %w", inner)
	if CodeOf(outer) != TooLarge || CodeOf(errors.New("x")) != Internal {
		t.Errorf("codes %s and %s", CodeOf(outer), CodeOf(errors.New("x")))
	}
	if inner.Error() != "a file of 9 bytes: unexpected EOF" || !errors.Is(outer, io.ErrUnexpectedEOF) {
		t.Errorf("error %q loses its cause", inner)
	}
}
