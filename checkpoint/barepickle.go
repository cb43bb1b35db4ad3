package checkpoint

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/pickle"
)

// pickleMagic begins a pickle of protocol 2 or newer.
var pickleMagic = []byte{0x80}

// readPickle reads a state dict that Python's pickle wrote without torch.save. Each
// storage in it is the content of a file in the legacy format.
func readPickle(content []byte) (*File, error) {
	left := len(content)
	storageOf := func(function string, args []any) (any, bool, error) {
		if function != "torch.storage._load_from_bytes" || len(args) != 1 {
			return call(function, args)
		}
		data, _ := bytesOf(args[0])
		saved, ok := cutLegacyMagic(data)
		if left -= len(data); !ok || left < 0 {
			return nil, false, nil
		}
		object, err := legacyObject(saved)
		return object, true, err
	}
	object, _, err := pickle.Read(content, pickle.Options{Call: storageOf})
	var f *File
	if err == nil {
		f, err = newFile(object, len(content))
	}
	if err != nil {
		return nil, ascood.Errorf(codeOf(err), "a pickle that torch.save did not write: %w", err)
	}
	return f, nil
}

// bytesOf returns bytes as any protocol has them: before 3 they are a text that is to
// be encoded.
func bytesOf(value any) ([]byte, bool) {
	switch value := value.(type) {
	case []byte:
		return value, true
	case *pickle.Object:
		if value.Class != "_codecs.encode" || len(value.Args) == 0 {
			return nil, false
		}
		text, _ := value.Args[0].(string)
		data := make([]byte, 0, len(text))
		for _, r := range text {
			if r > 0xff {
				return nil, false
			}
			data = append(data, byte(r))
		}
		return data, true
	}
	return nil, false
}
