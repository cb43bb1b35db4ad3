package checkpoint

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/internal/pickle"
)

// numpyTypes are the types of elements by NumPy's names.
var numpyTypes = map[string]DType{
	"f2": F16, "f4": F32, "f8": F64, "b1": Bool,
	"i1": I8, "i2": I16, "i4": I32, "i8": I64, "u1": U8, "u2": U16, "u4": U32, "u8": U64,
}

// array returns a NumPy array of numbers as a tensor. It is a call of _reconstruct
// with the state (version, shape, type, in Fortran's order, data), or one of
// _frombuffer with (data, type, shape, order).
func array(value any) (*strided, bool) {
	object, ok := value.(*pickle.Object)
	if !ok || !strings.HasPrefix(object.Class, "numpy.") {
		return nil, false
	}
	state, _ := object.State.(*pickle.List)
	switch {
	case strings.HasSuffix(object.Class, ".multiarray._reconstruct") && state != nil && len(state.Items) == 5:
		return newArray(state.Items[1], state.Items[2], state.Items[3] == true, state.Items[4])
	case strings.HasSuffix(object.Class, ".numeric._frombuffer") && len(object.Args) == 4:
		return newArray(object.Args[2], object.Args[1], object.Args[3] == "F", object.Args[0])
	}
	return nil, false
}

func newArray(shape, dtype any, fortran bool, data any) (*strided, bool) {
	of, ok1 := numpyElement(dtype)
	content, ok2 := bytesOf(data)
	sizes, ok3 := ints(shape)
	if !ok1 || !ok2 || !ok3 || len(content)%of.size != 0 {
		return nil, false
	}
	t := &strided{
		storage: &storage{element: of, elements: len(content) / of.size, data: content},
		element: of, shape: sizes, strides: make([]int, len(sizes)),
	}
	step := 1
	for i := range sizes {
		if !fortran {
			i = len(sizes) - 1 - i
		}
		if t.strides[i] = step; sizes[i] > 0 {
			step = min(step*min(sizes[i], maxElements), maxElements)
		}
	}
	return t, t.validate() == nil
}

// numpyElement returns the type that a numpy.dtype says: its name is the first
// argument, the order of the bytes the second part of the state.
func numpyElement(value any) (element, bool) {
	object, ok := value.(*pickle.Object)
	if !ok || object.Class != "numpy.dtype" || len(object.Args) == 0 {
		return element{}, false
	}
	name, _ := object.Args[0].(string)
	if state, ok := object.State.(*pickle.List); ok && len(state.Items) > 1 && state.Items[1] == ">" {
		return element{}, false
	}
	dtype, ok := numpyTypes[name]
	return elementOf(dtype), ok
}

// texts returns the elements of a NumPy array of texts, nil for any other value. They
// are Python objects, or of so many characters each, filled up with zeros.
func texts(value any) []string {
	object, ok := value.(*pickle.Object)
	if !ok || !strings.HasSuffix(object.Class, ".multiarray._reconstruct") {
		return nil
	}
	state, _ := object.State.(*pickle.List)
	if state == nil || len(state.Items) != 5 {
		return nil
	}
	dtype, _ := state.Items[2].(*pickle.Object)
	if dtype == nil || dtype.Class != "numpy.dtype" || len(dtype.Args) == 0 {
		return nil
	}
	if list, ok := state.Items[4].(*pickle.List); ok {
		return allTexts(list.Items)
	}
	kind, _ := dtype.Args[0].(string)
	characters, err := strconv.Atoi(strings.TrimPrefix(kind, "U"))
	content, ok := bytesOf(state.Items[4])
	const size = 4 // bytes of a character
	if !strings.HasPrefix(kind, "U") || err != nil || !ok || characters < 1 || len(content) < size*characters {
		return nil
	}
	var names []string
	for element := range slices.Chunk(content, size*characters) {
		var name []rune
		for character := range slices.Chunk(element, size) {
			if len(character) == size {
				name = append(name, rune(binary.LittleEndian.Uint32(character)))
			}
		}
		names = append(names, strings.TrimRight(string(name), "\x00"))
	}
	return names
}
