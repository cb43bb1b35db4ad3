package modelflags

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ascood/ascood/dataset"
)

func TestAccuracy(t *testing.T) {
	for _, c := range []struct {
		right, wrong, unlabelled int
		want                     string
	}{
		{93, 7, 3, "accuracy 93.00% on 100 labelled images\n"},
		{0, 0, 40, ""},
		{20, 80, 0, "accuracy 20.00% on 100 labelled images\nWarning: an accuracy of 20.00% on labelled images of 5 classes is hardly more than guessing: are sizes, resizing, mean, std and the order of the classes those of the training? ascood-export --check compares them with others.\n"},
	} {
		var a Accuracy
		for range c.right {
			a.Add(2, 2)
		}
		for range c.wrong {
			a.Add(2, 3)
		}
		for range c.unlabelled {
			a.Add(dataset.Unlabelled, 1)
		}
		var out bytes.Buffer
		if a.Tell(&out, 5); out.String() != c.want {
			t.Errorf("%+v tells\n%swant\n%s", a, out.String(), c.want)
		}
	}
}

func TestWarnSkipped(t *testing.T) {
	var out bytes.Buffer
	WarnSkipped(&out, "val", 9, nil)
	WarnSkipped(&out, "val", 9, []error{errors.New("a is damaged"), errors.New("b is missing")})
	if got := out.String(); got != "Warning: 2 of 9 images of val cannot be loaded and are left out:\n  a is damaged\n  b is missing\n" {
		t.Errorf("said %s", got)
	}
}

// TestNumberedFolders: with twelve folders the order of the names is not that of the
// numbers. Classes with names leave no doubt.
func TestNumberedFolders(t *testing.T) {
	dir := t.TempDir()
	var numbers, textual []string
	for i := range 12 {
		numbers = append(numbers, strconv.Itoa(i))
		if err := os.MkdirAll(filepath.Join(dir, numbers[i]), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, numbers[i], "1.png"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := dataset.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	textual = dataset.Classes(d)
	for _, c := range []struct {
		classes []string
		noted   bool
	}{{numbers, true}, {textual, false}} {
		labelled, err := dataset.Relabel(d, c.classes)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		NoteNumberedFolders(&out, labelled)
		if noted := strings.Contains(out.String(), "in the order of their names, 0, 1, 10, 11, …: a network trained on it is to be exported with --classes"); noted != c.noted {
			t.Errorf("classes %v: said %q", c.classes, out.String())
		}
	}
}
