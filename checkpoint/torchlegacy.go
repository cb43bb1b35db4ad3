package checkpoint

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/pickle"
)

// legacyMagic is a pickle of torch.save's magic number, with which the format
// of PyTorch before 1.6 begins. It goes on with pickles of the protocol version,
// of the writer's machine, of the object and of the keys of its storages, and
// for each key the number of elements (8 bytes) and the elements.
var legacyMagic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

const legacyProtocol = 1001

// readTorchLegacy reads a file that begins with legacyMagic.
func readTorchLegacy(content []byte) (*File, error) {
	object, err := legacyObject(content)
	if err != nil {
		return nil, err
	}
	return newFile(object, len(content))
}

func legacyObject(content []byte) (any, error) {
	protocol, rest, err := pickle.Read(content[len(legacyMagic):], pickle.Options{})
	if err != nil {
		return nil, err
	}
	if protocol != legacyProtocol {
		return nil, ascood.Errorf(ascood.Unsupported, "a protocol of torch.save that is not %d", legacyProtocol)
	}
	machine, rest, err := pickle.Read(rest, pickle.Options{})
	if err != nil {
		return nil, err
	}
	if pickle.Get(machine, "little_endian") != true {
		return nil, ascood.Errorf(ascood.Unsupported, "written on a machine whose byte order is not little-endian")
	}
	r := newTorchReader(func(string, *storage) {})
	object, rest, err := r.read(rest)
	if err != nil {
		return nil, err
	}
	keys, rest, err := pickle.Read(rest, pickle.Options{})
	if err != nil {
		return nil, err
	}
	return object, r.readStorages(keys, rest)
}

// readStorages finds the data of the storages, which follow one another.
func (r *torchReader) readStorages(keys any, rest []byte) error {
	list, ok := keys.(*pickle.List)
	if !ok {
		return ascood.Errorf(ascood.Invalid, "no list of storage keys")
	}
	found := map[string]bool{}
	for _, key := range list.Items {
		name, _ := key.(string)
		s, ok := r.storages[name]
		if !ok {
			return ascood.Errorf(ascood.Invalid, "storage %q belongs to no tensor", name)
		}
		size := s.elements * s.size
		if len(rest) < 8 || len(rest)-8 < size {
			return ascood.Errorf(ascood.Invalid, "truncated: storage %q needs %d bytes, %d are left", name, 8+size, len(rest))
		}
		if n := binary.LittleEndian.Uint64(rest); n != uint64(s.elements) {
			return ascood.Errorf(ascood.Invalid, "storage %q has %d elements, want %d", name, n, s.elements)
		}
		s.data, rest = rest[8:8+size:8+size], rest[8+size:]
		found[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.storages)) {
		if !found[name] {
			return ascood.Errorf(ascood.Invalid, "storage %q has no data", name)
		}
	}
	return nil
}
