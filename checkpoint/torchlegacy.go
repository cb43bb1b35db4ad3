package checkpoint

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/pickle"
)

// legacyMagic is torch.save's magic number in a pickle, with which the format of
// PyTorch before 1.6 begins. It goes on with pickles of the protocol version, of the
// writer's machine, of the object and of the keys of its storages, and for each key the
// number of elements (8 bytes) and the elements.
var legacyMagic = []byte("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

// cutLegacyMagic returns what follows the pickle of the magic number. The pickle begins
// with its protocol and, from 4 on, with the length of a frame.
func cutLegacyMagic(content []byte) (rest []byte, ok bool) {
	const protocol, frame = 2, 9
	if len(content) < protocol || !bytes.HasPrefix(content, pickleMagic) {
		return nil, false
	}
	rest = content[protocol:]
	if len(rest) > frame && rest[0] == 0x95 {
		rest = rest[frame:]
	}
	return bytes.CutPrefix(rest, legacyMagic)
}

const legacyProtocol = 1001

// readTorchLegacy reads what follows the magic number in a file.
func readTorchLegacy(rest []byte) (*File, error) {
	object, err := legacyObject(rest)
	if err != nil {
		return nil, err
	}
	return newFile(object, len(rest))
}

func legacyObject(rest []byte) (any, error) {
	protocol, rest, err := pickle.Read(rest, pickle.Options{})
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
