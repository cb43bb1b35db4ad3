package importer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/onnx"
)

// maxBytes is the most that a network and its weights may take: what the format's own
// messages can hold.
const maxBytes = 1<<31 - 1

// Read reads an ONNX file and the files of weights that it refers to, which must lie
// in its folder. What is no ONNX file, or not a whole one, is ascood.Invalid; more
// than 2 GB are ascood.TooLarge.
func Read(path string) (*onnx.ModelProto, error) {
	m, _, err := ReadFiles(path)
	return m, err
}

// ReadFiles is Read, and returns the paths of the files of weights as well.
func ReadFiles(path string) (*onnx.ModelProto, []string, error) {
	m, size, err := parse(path)
	if err != nil {
		return nil, nil, err
	}
	names, err := loadExternal(m, filepath.Dir(path), maxBytes-size)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	var files []string
	for _, name := range names {
		files = append(files, filepath.Join(filepath.Dir(path), name))
	}
	return m, files, nil
}

// parse reads the ONNX file alone, and returns its size, too.
func parse(path string) (*onnx.ModelProto, int, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, ascood.Errorf(ascood.Invalid, "%w", err)
	case !info.Mode().IsRegular():
		return nil, 0, ascood.Errorf(ascood.Invalid, "%s: not a file", path)
	case info.Size() > maxBytes:
		return nil, 0, ascood.Errorf(ascood.TooLarge, "%s: %d bytes; an ONNX file has at most %d", path, info.Size(), maxBytes)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, 0, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	}
	m, err := onnx.Parse(data)
	if err != nil {
		return nil, 0, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	}
	return m, len(data), nil
}

// loadExternal reads the tensors of the graph whose values are in other files of the
// folder, of at most so many bytes together, and returns the names of these files.
func loadExternal(m *onnx.ModelProto, folder string, most int) (names []string, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer root.Close()
	err = eachTensor(m, func(t *onnx.TensorProto) error {
		if t.DataLocation != onnx.TensorProto_EXTERNAL {
			return nil
		}
		data, name, err := readExternal(root, t, most)
		if err != nil {
			return err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		most -= len(data)
		t.RawData, t.ExternalData, t.DataLocation = data, nil, onnx.TensorProto_DEFAULT
		return nil
	})
	return names, err
}

// eachTensor calls visit for the initializers and the constants of a model, down to
// those of subgraphs and functions, until one is an error.
func eachTensor(m *onnx.ModelProto, visit func(t *onnx.TensorProto) error) error {
	var inNodes func(nodes []*onnx.NodeProto) error
	inGraph := func(g *onnx.GraphProto) error {
		for _, t := range g.GetInitializer() {
			if err := visit(t); err != nil {
				return err
			}
		}
		return inNodes(g.GetNode())
	}
	inNodes = func(nodes []*onnx.NodeProto) error {
		for _, n := range nodes {
			for _, a := range n.Attribute {
				if a.T != nil {
					if err := visit(a.T); err != nil {
						return err
					}
				}
				if a.G != nil {
					if err := inGraph(a.G); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	for _, f := range m.Functions {
		if err := inNodes(f.Node); err != nil {
			return err
		}
	}
	return inGraph(m.Graph)
}

// readExternal reads the values of one tensor, and returns the file's name as well. The
// file system keeps the path inside the folder, whatever links there are.
func readExternal(root *os.Root, t *onnx.TensorProto, most int) (data []byte, name string, err error) {
	where := map[string]string{}
	for _, e := range t.ExternalData {
		where[e.Key] = e.Value
	}
	location := where["location"]
	fail := func(format string, args ...any) ([]byte, string, error) {
		return nil, "", ascood.Errorf(ascood.Invalid, "the weights of %q are in the file %q: "+format, append([]any{t.Name, location}, args...)...)
	}
	wanted, err := t.Bytes()
	if err != nil {
		return nil, "", ascood.Errorf(ascood.Invalid, "%w", err)
	}
	if wanted > most {
		return nil, "", ascood.Errorf(ascood.TooLarge, "the weights take more than %d bytes together", maxBytes)
	}
	var offset, length int64 = 0, int64(wanted)
	for key, v := range map[string]*int64{"offset": &offset, "length": &length} {
		if text, given := where[key]; given {
			if *v, err = strconv.ParseInt(text, 10, 64); err != nil || *v < 0 {
				return fail("its %s is %q; want a number of bytes", key, text)
			}
		}
	}
	if length != int64(wanted) {
		return fail("%d bytes, but the shape %v of %v takes %d", length, t.Dims, t.Type(), wanted)
	}
	name = filepath.FromSlash(strings.TrimPrefix(location, "./"))
	f, err := root.Open(name)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fail("it is not there; it belongs beside the ONNX file")
		}
		return fail("%w; it must lie in the folder of the ONNX file", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || offset > info.Size() || info.Size()-offset < length {
		return fail("it does not have %d bytes from %d on", length, offset)
	}
	data = make([]byte, length)
	if _, err := f.ReadAt(data, offset); err != nil {
		return fail("%w", err)
	}
	return data, name, nil
}
