package checkpoint

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/pickle"
)

// torchReader collects the storages that a file's main pickle refers to.
type torchReader struct {
	storages map[string]*storage
	// open is called for a storage when it is met first; it may set how the data are read.
	open func(key string, s *storage)
}

func newTorchReader(open func(key string, s *storage)) *torchReader {
	return &torchReader{map[string]*storage{}, open}
}

// read runs the pickle at the start of data.
func (r *torchReader) read(data []byte) (object any, rest []byte, err error) {
	return pickle.Read(data, pickle.Options{Call: call, Persistent: r.persistent})
}

var errReference = ascood.Errorf(ascood.Invalid, "malformed reference to a storage")

// persistent resolves the reference ("storage", type, key, location, elements),
// which in the legacy format is followed by a view of it, if any. There the class of
// a network is a reference, too: ("module", class, file, source).
func (r *torchReader) persistent(id any) (any, error) {
	tuple, ok := id.(*pickle.List)
	if !ok || len(tuple.Items) < 2 {
		return nil, errReference
	}
	if tuple.Items[0] == "module" {
		return tuple.Items[1], nil
	}
	if tuple.Items[0] != "storage" || len(tuple.Items) < 5 {
		return nil, errReference
	}
	class, ok1 := tuple.Items[1].(pickle.Class)
	key, ok2 := tuple.Items[2].(string)
	elements, ok3 := tuple.Items[4].(int)
	if !ok1 || !ok2 || !ok3 || elements < 0 || elements > maxElements {
		return nil, errReference
	}
	of, ok := storageElement(class)
	if !ok {
		return nil, ascood.Errorf(ascood.Unsupported, "storage %q is of the unknown class %s", key, class)
	}
	if len(tuple.Items) > 5 && tuple.Items[5] != nil {
		return nil, ascood.Errorf(ascood.Unsupported, "storage %q is a view of another one, as PyTorch before 0.4 wrote them; save it again with a newer PyTorch", key)
	}
	return r.storage(key, of, elements)
}

func (r *torchReader) storage(key string, of element, elements int) (*storage, error) {
	if s, ok := r.storages[key]; ok {
		if s.element != of || s.elements != elements {
			return nil, ascood.Errorf(ascood.Invalid, "storage %q is referred to as %d elements of %d bytes and as %d of %d", key, s.elements, s.size, elements, of.size)
		}
		return s, nil
	}
	s := &storage{element: of, elements: elements}
	r.storages[key] = s
	r.open(key, s)
	return s, nil
}
