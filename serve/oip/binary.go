package oip

import (
	"encoding/binary"

	"github.com/ascood/ascood"
)

// FromBinary reads n elements from the protocol's binary layout: little-endian numbers, or
// for BYTES, elements that each follow their length, of four bytes. The tensor refers to
// data's memory.
func (t *Tensor) FromBinary(data []byte, n int) error {
	switch t.Type {
	case Uint8:
		if len(data) != n {
			return ascood.Errorf(ascood.Invalid, "input %.50q: %d bytes of data; the shape %v has %d elements", t.Name, len(data), t.Shape, n)
		}
		t.Data = data
		return nil
	case Bytes:
		elements, err := t.elements(data, n)
		t.Data = elements
		return err
	}
	return t.WrongType()
}

// elements takes n elements apart. Memory is taken for those that are there, not for
// those that are announced.
func (t *Tensor) elements(data []byte, n int) ([][]byte, error) {
	const prefix = 4
	var all [][]byte
	for range n {
		if len(data) < prefix || uint64(len(data)-prefix) < uint64(binary.LittleEndian.Uint32(data)) {
			return nil, ascood.Errorf(ascood.Invalid, "input %.50q: the data ends within element %d of %d; each follows its length, 4 bytes, little-endian", t.Name, len(all), n)
		}
		end := prefix + int(binary.LittleEndian.Uint32(data))
		all = append(all, data[prefix:end])
		data = data[end:]
	}
	if len(data) > 0 {
		return nil, ascood.Errorf(ascood.Invalid, "input %.50q: %d bytes after the last of %d elements", t.Name, len(data), n)
	}
	return all, nil
}

// Binary returns the data in the protocol's binary layout.
func (t *Tensor) Binary() []byte {
	elements, ok := t.Data.([][]byte)
	if !ok {
		data, err := binary.Append(nil, binary.LittleEndian, t.Data)
		if err != nil {
			panic(err) // all data is of numbers of fixed size
		}
		return data
	}
	var data []byte
	for _, e := range elements {
		data = binary.LittleEndian.AppendUint32(data, uint32(len(e)))
		data = append(data, e...)
	}
	return data
}
