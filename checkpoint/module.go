package checkpoint

import (
	"strings"

	"github.com/ascood/ascood/internal/pickle"
)

// wholeModule returns the state dict of a network that was saved with its class: the
// tensors lie in the attributes that every torch.nn.Module has, or, in TorchScript,
// in its own.
func wholeModule(value any) ([]pickle.Entry, bool) {
	if !isModule(value) {
		return nil, false
	}
	m := &moduleReader{left: maxModules}
	m.collect("", value, 0)
	return m.entries, true
}

// maxModules bounds how many modules a network may have: one within another may be
// shared, so that a small file could have any number.
const maxModules = 100_000

type moduleReader struct {
	entries []pickle.Entry
	left    int
}

func isModule(value any) bool {
	object, ok := value.(*pickle.Object)
	if !ok {
		return false
	}
	names := map[any]bool{}
	for _, entry := range moduleAttributes(object) {
		if _, ok := entry.Key.(string); ok {
			names[entry.Key] = true
		}
	}
	return names["_modules"] && names["_parameters"] || isScript(object)
}

// isScript reports whether an object is a module of TorchScript, whose classes are
// named so.
func isScript(object *pickle.Object) bool { return strings.HasPrefix(object.Class, "__torch__.") }

// moduleAttributes returns the attributes of a module. That of torch.fx is made by a
// call with a dict of them.
func moduleAttributes(object *pickle.Object) []pickle.Entry {
	if object.State == nil && len(object.Args) > 0 {
		if entries, ok := pickle.Entries(object.Args[0]); ok {
			return entries
		}
	}
	return attributes(object)
}

// collect adds the parameters and buffers of a module and of those in it, under the
// names that they have in a state dict.
func (m *moduleReader) collect(prefix string, value any, depth int) {
	object, ok := value.(*pickle.Object)
	if m.left--; !ok || m.left < 0 || depth > maxDepth {
		return
	}
	own := moduleAttributes(object)
	if isScript(object) {
		for _, entry := range own {
			name, _ := entry.Key.(string)
			if _, ok := tensorOf(entry.Value); ok {
				m.entries = append(m.entries, pickle.Entry{Key: prefix + name, Value: entry.Value})
			} else if inner, ok := entry.Value.(*pickle.Object); ok && isScript(inner) {
				m.collect(prefix+name+".", inner, depth+1)
			}
		}
		return
	}
	parts := &pickle.Dict{Entries: own}
	m.tensors(prefix, pickle.Get(parts, "_parameters"), nil)
	m.tensors(prefix, pickle.Get(parts, "_buffers"), pickle.Get(parts, "_non_persistent_buffers_set"))
	modules, _ := pickle.Entries(pickle.Get(parts, "_modules"))
	for _, entry := range modules {
		if name, ok := entry.Key.(string); ok {
			m.collect(prefix+name+".", entry.Value, depth+1)
		}
	}
}

// tensors adds the tensors of a dict, but for those that are not saved.
func (m *moduleReader) tensors(prefix string, dict, unsaved any) {
	entries, _ := pickle.Entries(dict)
	for _, entry := range entries {
		name, isName := entry.Key.(string)
		if _, ok := tensorOf(entry.Value); ok && isName && !contains(unsaved, name) {
			m.entries = append(m.entries, pickle.Entry{Key: prefix + name, Value: entry.Value})
		}
	}
}

// contains reports whether a set has a name; before protocol 4 a set is a call with a
// list.
func contains(set any, name string) bool {
	if object, ok := set.(*pickle.Object); ok && len(object.Args) > 0 {
		set = object.Args[0]
	}
	list, ok := set.(*pickle.List)
	if !ok {
		return false
	}
	for _, item := range list.Items {
		if item == name {
			return true
		}
	}
	return false
}
