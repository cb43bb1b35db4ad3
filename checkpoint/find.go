package checkpoint

import (
	"strconv"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/pickle"
)

// finder goes through an object that torch.save wrote and collects what may be the
// weights of a network: dicts of tensors at any depth, and networks saved whole.
type finder struct {
	copier  *copier
	states  []*State
	classes ClassList
	seen    map[any]bool // values are shared, and may contain themselves
}

// maxDepth bounds how deep a state dict may lie.
const maxDepth = 32

// newFile returns what lies in an object from a file of the given length.
func newFile(object any, fileLen int) (*File, error) {
	f := &finder{copier: newCopier(fileLen), seen: map[any]bool{}}
	f.walk("", object, 0)
	if len(f.states) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "no state dict in it, which is a dict of tensors: %s", contents(object))
	}
	return &File{States: f.states, Classes: f.classes, Training: StateDict{}}, nil
}

// walk looks into a value that lies at key.
func (f *finder) walk(key string, value any, depth int) {
	if !isContainer(value) || depth > maxDepth || f.seen[value] {
		return
	}
	f.seen[value] = true
	if module, ok := wholeModule(value); ok {
		f.addState(key, module)
		f.lookForClasses(key, attributes(value))
		return
	}
	entries, _ := pickle.Entries(value)
	f.addState(key, entries)
	f.walkEntries(key, entries, depth)
	switch value := value.(type) {
	case *pickle.List:
		f.addState(key, pairs(value))
		f.walkItems(key, value.Items, depth)
	case *pickle.Object:
		f.walkEntries(key, attributes(value), depth)
		f.walkItems(key, value.Args, depth)
		f.walkItems(key, value.Items, depth)
	}
}

func (f *finder) walkEntries(key string, entries []pickle.Entry, depth int) {
	f.lookForClasses(key, entries)
	for _, entry := range entries {
		if !isContainer(entry.Value) {
			continue
		}
		switch name := entry.Key.(type) {
		case string:
			f.walk(join(key, name), entry.Value, depth+1)
		case int:
			f.walk(join(key, strconv.Itoa(name)), entry.Value, depth+1)
		}
	}
}

func (f *finder) walkItems(key string, items []any, depth int) {
	for i, item := range items {
		if isContainer(item) {
			f.walk(join(key, strconv.Itoa(i)), item, depth+1)
		}
	}
}

// pairs returns the names and tensors of a list of both, such as that of a dict's items;
// nil for any other list.
func pairs(list *pickle.List) []pickle.Entry {
	var entries []pickle.Entry
	for _, item := range list.Items {
		pair, ok := item.(*pickle.List)
		if !ok || len(pair.Items) != 2 {
			return nil
		}
		name, isName := pair.Items[0].(string)
		if _, ok := tensorOf(pair.Items[1]); !ok || !isName {
			return nil
		}
		entries = append(entries, pickle.Entry{Key: name, Value: pair.Items[1]})
	}
	return entries
}

// isContainer reports whether tensors may lie in a value. A tensor itself has none.
func isContainer(value any) bool {
	switch value := value.(type) {
	case *pickle.List, *pickle.Dict:
		return true
	case *pickle.Object:
		_, ok := array(value)
		return !ok
	}
	return false
}

// join is the key of what lies at name below key.
func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// attributes returns the attributes of an object, as it was given them.
func attributes(value any) []pickle.Entry {
	object, ok := value.(*pickle.Object)
	if !ok {
		return nil
	}
	state := object.State
	if pair, ok := state.(*pickle.List); ok && len(pair.Items) == 2 { // those of __dict__ and of __slots__
		own, _ := pickle.Entries(pair.Items[0])
		slots, _ := pickle.Entries(pair.Items[1])
		return append(own[:len(own):len(own)], slots...)
	}
	entries, _ := pickle.Entries(state)
	return entries
}

// contents says what an object without a state dict holds.
func contents(object any) string {
	entries, ok := pickle.Entries(object)
	switch {
	case !ok:
		return "it holds " + describe(object)
	case len(entries) == 0:
		return "it holds an empty dict"
	}
	const most = 6
	text := "its keys are "
	for i, entry := range entries {
		if i == most {
			return text + ", … (" + strconv.Itoa(len(entries)) + " in all)"
		}
		if i > 0 {
			text += ", "
		}
		name, ok := entry.Key.(string)
		if !ok {
			name = pickle.Describe(entry.Key)
		}
		text += name + " (" + describe(entry.Value) + ")"
	}
	return text
}

func describe(value any) string {
	switch value.(type) {
	case *strided:
		return "a tensor"
	case *storage:
		return "a storage"
	}
	return pickle.Describe(value)
}
