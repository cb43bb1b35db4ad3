package scoring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ascood/ascood"
)

// Source says where models come from.
type Source struct {
	Model  string // file of the default model, "" for none
	Name   string // to serve it by; "" is the name that the file gives itself
	Folder string // of further models, "" for none: NAME.onnx and NAME/model.onnx are served as NAME

	// Default is the name of the folder's model that is asked where no name is given.
	// "" is the folder's only model, or none where there are several.
	Default string

	// Open opens a model's file, with the details that it can give of an image or without.
	// Errors name the path as it is given.
	Open func(path string, details bool) (Model, error)
}

// file is a model's file at the time when it was looked at.
type file struct {
	name, path string
	info       os.FileInfo // nil if it cannot be looked at
	err        error       // why
}

func look(name, path string) file {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = errors.New("a folder, not a file")
	}
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		err = failed.Err
	}
	if err != nil {
		return file{name: name, path: path, err: ascood.Errorf(ascood.Invalid, "model: open %s: %w", path, err)}
	}
	return file{name: name, path: path, info: info}
}

// same reports whether nobody has written to the file, or put another one in its
// place, since f was looked at.
func (f file) same(now file) bool {
	if f.info == nil || now.info == nil {
		return f.info == nil && now.info == nil && f.err.Error() == now.err.Error()
	}
	return f.path == now.path && os.SameFile(f.info, now.info) && f.info.Size() == now.info.Size() && f.info.ModTime().Equal(now.info.ModTime())
}

// files looks at all models' files. The default's has the name given.
func (s Source) files(name string) ([]file, error) {
	var found []file
	if s.Model != "" {
		found = append(found, look(name, s.Model))
	}
	if s.Folder == "" {
		return found, nil
	}
	entries, err := os.ReadDir(s.Folder)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "folder of models: %w", err)
	}
	for _, entry := range entries {
		if f, ok := s.file(entry); ok {
			found = append(found, f)
		}
	}
	paths := map[string]string{}
	for _, f := range found {
		if paths[f.name] != "" {
			return nil, ascood.Errorf(ascood.Invalid, "%s and %s are both named %s: one of them needs another name", paths[f.name], f.path, f.name)
		}
		paths[f.name] = f.path
	}
	return found, nil
}

// file returns an entry of the folder if it is a model: a file that ends in .onnx, or
// a folder with a model.onnx. Hidden ones are none, such as what is being copied.
func (s Source) file(entry os.DirEntry) (file, bool) {
	path := filepath.Join(s.Folder, entry.Name())
	if strings.HasPrefix(entry.Name(), ".") {
		return file{}, false
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		f := look(entry.Name(), filepath.Join(path, "model.onnx"))
		return f, !errors.Is(f.err, os.ErrNotExist)
	}
	name, ok := strings.CutSuffix(entry.Name(), ".onnx")
	return look(name, path), ok && name != ""
}

// reason is why a file was refused, without the folders that it lies in: that is for
// the log.
func (f file) reason(err error) string {
	return strings.ReplaceAll(err.Error(), f.path, filepath.Base(f.path))
}

// String names the file for the log.
func (f file) String() string { return fmt.Sprintf("%s (%s)", f.name, f.path) }
