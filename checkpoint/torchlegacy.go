package checkpoint

import (
	"encoding/binary"

	"github.com/nlpodyssey/gopickle/types"

	"github.com/ascood/ascood"
)

// legacyMagic is a pickle of torch.save's magic number, with which the format
// of PyTorch before 1.6 begins. It goes on with pickles of the protocol version,
// of the writer's machine, of the object and of the keys of its storages, and
// for each key the number of elements (8 bytes) and the elements.
var legacyMagic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

const legacyProtocol = 1001

// readTorchLegacy returns the object in a file that begins with legacyMagic.
func readTorchLegacy(content []byte) (any, error) {
	protocol, rest, err := unpickle(content[len(legacyMagic):], nil)
	if err != nil {
		return nil, err
	}
	if protocol != legacyProtocol {
		return nil, ascood.Errorf(ascood.Unsupported, "protocol version %v of torch.save, want %d", protocol, legacyProtocol)
	}
	machine, rest, err := unpickle(rest, nil)
	if err != nil {
		return nil, err
	}
	if entries, ok := dict(machine); !ok || entries["little_endian"] != true {
		return nil, ascood.Errorf(ascood.Unsupported, "written on a machine whose byte order is not little-endian")
	}
	r := &torchReader{storages: map[string]*storage{}, open: func(string, *storage) error { return nil }}
	object, rest, err := unpickle(rest, r.persistent)
	if err != nil {
		return nil, err
	}
	keys, rest, err := unpickle(rest, nil)
	if err != nil {
		return nil, err
	}
	return object, r.readStorages(keys, rest)
}

// readStorages reads the data of the storages, which follow one another.
func (r *torchReader) readStorages(keys any, rest []byte) error {
	list, ok := keys.(*types.List)
	if !ok {
		return ascood.Errorf(ascood.Invalid, "no list of storage keys")
	}
	for _, key := range *list {
		name, _ := key.(string)
		s, ok := r.storages[name]
		if !ok {
			return ascood.Errorf(ascood.Invalid, "storage %v belongs to no tensor", key)
		}
		size := s.elements * s.dtype.Size()
		if len(rest) < 8 || len(rest)-8 < size {
			return ascood.Errorf(ascood.Invalid, "truncated: storage %q needs %d bytes, %d are left", name, 8+size, len(rest))
		}
		if n := binary.LittleEndian.Uint64(rest); n != uint64(s.elements) {
			return ascood.Errorf(ascood.Invalid, "storage %q has %d elements, want %d", name, n, s.elements)
		}
		s.data, rest = rest[8:8+size:8+size], rest[8+size:]
	}
	for name, s := range r.storages {
		if s.data == nil {
			return ascood.Errorf(ascood.Invalid, "storage %q has no data", name)
		}
	}
	return nil
}
