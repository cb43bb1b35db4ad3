package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/ascood/ascood"
)

// File is what a file of weights holds.
type File struct {
	States   []*State  // its state dicts, in the file's order; at least one
	Classes  ClassList // names of the classes that lie beside them
	Training StateDict // as in Checkpoint
	Meta     Meta      // as in Checkpoint
}

// State is a state dict in a file: a dict of tensors, or a network that was saved
// whole.
type State struct {
	Key    string           // where in the file it lies, such as "state.model"; "" is the file itself
	Shapes map[string][]int // of the tensors, by name
	Others map[string]any   // what a dict holds besides: nil, numbers and strings as they are, else a Foreign
	load   func(name string) (*Tensor, error)
}

// Foreign describes an entry of a state dict that no network can hold.
type Foreign string

// Tensor returns one of the tensors; one of floating-point numbers becomes F32.
func (s *State) Tensor(name string) (*Tensor, error) {
	t, err := s.load(name)
	if err == nil {
		t, err = t.single()
	}
	if err != nil {
		return nil, ascood.Errorf(codeOf(err), "%s: %w", name, err)
	}
	return t, nil
}

// ClassList is a list of class names with where in the file it lies.
type ClassList struct {
	Names []string // in the order of the labels; nil if there are none
	Key   string
}

// Open reads a safetensors file, ours or a bare state dict, or a file that
// torch.save wrote (.pth, .pt, .ckpt; either format, also TorchScript), which is told
// by the content. Objects of other programs that lie in it stay unread, and none of
// their code is run. A file that is missing, damaged or of another kind is
// ascood.Invalid; the error says which.
func Open(path string) (*File, error) {
	if strings.Contains(path, "://") {
		return nil, ascood.Errorf(ascood.Invalid, "%s: an address, not a file: download it first", path)
	}
	content, err := os.ReadFile(path)
	if info, unread := os.Stat(path); unread == nil && info.IsDir() {
		return nil, ascood.Errorf(ascood.Invalid, "%s: a folder: name the file in it that holds the weights", path)
	}
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	f, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func parse(content []byte) (*File, error) {
	legacy, isLegacy := cutLegacyMagic(content)
	switch {
	case len(content) == 0:
		return nil, ascood.Errorf(ascood.Invalid, "the file is empty")
	case bytes.HasPrefix(content, zipMagic):
		return readTorchZip(content)
	case isLegacy:
		return readTorchLegacy(legacy)
	case len(content) > 8 && content[8] == '{' && !isText(content[:8]):
		return readSafetensors(content)
	case bytes.HasPrefix(content, pickleMagic):
		return readPickle(content)
	}
	return nil, stranger(content)
}

// isText tells the length that a safetensors file begins with from a text in JSON.
func isText(content []byte) bool {
	return bytes.IndexFunc(content, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == utf8.RuneError }) < 0
}

// only returns the one state dict of a file.
func (f *File) only() (*State, error) {
	if len(f.States) > 1 {
		var keys []string
		for _, s := range f.States {
			keys = append(keys, fmt.Sprintf("%q", s.Key))
		}
		return nil, ascood.Errorf(ascood.Invalid, "several state dicts, want one: %s", strings.Join(keys, ", "))
	}
	return f.States[0], nil
}

// codeOf is the code of an error about a file's content.
func codeOf(err error) ascood.Code {
	if known, ok := errors.AsType[*ascood.Error](err); ok {
		return known.Code
	}
	return ascood.Invalid
}
