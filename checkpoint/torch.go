package checkpoint

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/ascood/ascood"
)

// torchReader collects the storages that a file's main pickle refers to.
type torchReader struct {
	storages map[string]*storage
	// open is called for a storage when it is met first; it may set the data.
	open func(key string, s *storage) error
}

// persistent resolves the reference ("storage", type, key, location, elements),
// which in the legacy format is followed by a view of it, if any.
func (r *torchReader) persistent(id any) (any, error) {
	tuple, ok := id.(*types.Tuple)
	if !ok || tuple.Len() < 5 || tuple.Get(0) != "storage" {
		return nil, fmt.Errorf("malformed reference to a storage")
	}
	class, ok1 := tuple.Get(1).(storageType)
	key, ok2 := tuple.Get(2).(string)
	elements, ok3 := tuple.Get(4).(int)
	if !ok1 || !ok2 || !ok3 || elements < 0 || elements > maxElements {
		return nil, fmt.Errorf("malformed reference to a storage")
	}
	if tuple.Len() > 5 && tuple.Get(5) != nil {
		return nil, ascood.Errorf(ascood.Unsupported, "storage %q is a view of another one, as PyTorch before 0.4 wrote them; save it again with a newer PyTorch", key)
	}
	if s, ok := r.storages[key]; ok {
		if s.dtype != class.dtype || s.elements != elements {
			return nil, fmt.Errorf("storage %q is referred to as %d elements of %s and as %d of %s", key, s.elements, s.dtype, elements, class.dtype)
		}
		return s, nil
	}
	s := &storage{dtype: class.dtype, elements: elements}
	r.storages[key] = s
	return s, r.open(key, s)
}

// stateDictKeys are where training scripts put the state dict.
var stateDictKeys = []string{"state_dict", "model", "net"}

// findStateDict returns the tensors of an object that torch.save wrote: a dict
// of tensors, or one that holds such a dict under a known key.
func findStateDict(object any) (map[string]*strided, error) {
	entries, ok := dict(object)
	if !ok {
		return nil, ascood.Errorf(ascood.Invalid, "it holds a %s, want a state dict", describe(object))
	}
	for _, key := range stateDictKeys {
		if inner, ok := dict(entries[key]); ok {
			return tensors(inner)
		}
	}
	return tensors(entries)
}

func tensors(entries map[string]any) (map[string]*strided, error) {
	state := make(map[string]*strided, len(entries))
	for name, value := range entries {
		t, ok := value.(*strided)
		if !ok {
			return nil, ascood.Errorf(ascood.Invalid, "no state dict: %q is a %s; want tensors, or a dict of tensors under %s; the keys are %s",
				name, describe(value), strings.Join(stateDictKeys, ", "), sample(entries))
		}
		state[name] = t
	}
	return state, nil
}

// dict returns the entries of a Python dict whose keys are strings.
func dict(object any) (map[string]any, bool) {
	entries := map[string]any{}
	add := func(key, value any) bool {
		name, ok := key.(string)
		entries[name] = value
		return ok
	}
	switch object := object.(type) {
	case *types.Dict:
		for _, entry := range *object {
			if !add(entry.Key, entry.Value) {
				return nil, false
			}
		}
	case *types.OrderedDict:
		for key, entry := range object.Map {
			if !add(key, entry.Value) {
				return nil, false
			}
		}
	default:
		return nil, false
	}
	return entries, true
}

// describe names the Python type of an object.
func describe(object any) string {
	switch object.(type) {
	case nil:
		return "None"
	case *strided:
		return "tensor"
	case *types.Dict, *types.OrderedDict:
		return "dict"
	case *types.List:
		return "list"
	case *types.Tuple:
		return "tuple"
	case string:
		return "string"
	case int, float64, bool:
		return fmt.Sprintf("number (%v)", object)
	}
	return fmt.Sprintf("%T", object)
}

// sample names a few keys.
func sample(entries map[string]any) string {
	names := slices.Sorted(maps.Keys(entries))
	if len(names) > 6 {
		names = append(names[:6], fmt.Sprintf("… (%d in all)", len(entries)))
	}
	return strings.Join(names, ", ")
}

// stateDict copies tensors out of their storages. The limit stops a small file
// that views one storage many times over from filling the memory.
func stateDict(tensors map[string]*strided, fileLen int) (StateDict, error) {
	limit := 8*fileLen + 64<<20
	total := 0
	state := make(StateDict, len(tensors))
	for name, t := range tensors {
		if total += t.size() * t.storage.dtype.Size(); total > limit {
			return nil, ascood.Errorf(ascood.TooLarge, "its tensors take over %d bytes, from a file of %d", limit, fileLen)
		}
		state[name] = t.tensor()
	}
	return state, nil
}

// readTorch reads what torch.save wrote, in either format.
func readTorch(content []byte) (StateDict, error) {
	var object any
	var err error
	if bytes.HasPrefix(content, zipMagic) {
		object, err = readTorchZip(content)
	} else {
		object, err = readTorchLegacy(content)
	}
	if err != nil {
		return nil, err
	}
	tensors, err := findStateDict(object)
	if err != nil {
		return nil, err
	}
	return stateDict(tensors, len(content))
}
