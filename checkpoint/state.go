package checkpoint

import (
	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/pickle"
)

// addState adds the entries of a dict, if there is a tensor among them.
func (f *finder) addState(key string, entries []pickle.Entry) {
	tensors, others := map[string]*strided{}, map[string]any{}
	for _, entry := range entries {
		name, ok := entry.Key.(string)
		if !ok {
			name = pickle.Describe(entry.Key)
		}
		delete(tensors, name) // of equal keys the last one counts
		delete(others, name)
		if t, ok := tensorOf(entry.Value); ok {
			tensors[name] = t
			continue
		}
		switch value := entry.Value.(type) {
		case nil, bool, int, float64, string:
			others[name] = value
		default:
			others[name] = Foreign(describe(value))
		}
	}
	if len(tensors) == 0 {
		return
	}
	s := &State{Key: key, Shapes: map[string][]int{}, Others: others}
	for name, t := range tensors {
		s.Shapes[name] = t.shape
	}
	s.load = func(name string) (*Tensor, error) { return f.copier.tensor(tensors[name]) }
	f.states = append(f.states, s)
}

// tensorOf returns a tensor, or a NumPy array as one.
func tensorOf(value any) (*strided, bool) {
	if t, ok := value.(*strided); ok {
		return t, true
	}
	return array(value)
}

// copier copies tensors out of their storages. Its limit stops a small file that
// views one storage many times over from filling the memory.
type copier struct{ fileLen, left int }

func newCopier(fileLen int) *copier { return &copier{fileLen, mostCopied(fileLen)} }

func mostCopied(fileLen int) int { return 16*fileLen + 256<<20 }

func (c *copier) tensor(t *strided) (*Tensor, error) {
	if c.left -= t.count() * t.size; c.left < 0 {
		return nil, ascood.Errorf(ascood.TooLarge, "its tensors take over %d MiB, from a file of %d bytes", mostCopied(c.fileLen)>>20, c.fileLen)
	}
	return t.tensor()
}
