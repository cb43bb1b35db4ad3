// Package atomicfile writes files in one step: a reader sees the old content or
// all of the new, and nothing is left behind if the writing fails.
package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/ascood/ascood"
)

// Check reports whether a file can be written at path, so that a program knows
// before its work and not after it. A folder in its place, a folder that is
// missing or not writable, and a path that is one of the inputs are
// ascood.Invalid.
func Check(path string, inputs ...string) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	f.Discard()
	out, err := os.Stat(path)
	if err != nil {
		return nil // not there yet
	}
	for _, input := range inputs {
		if in, err := os.Stat(input); err == nil && os.SameFile(in, out) {
			return ascood.Errorf(ascood.Invalid, "%s is what is read from: choose another file to write", path)
		}
	}
	return nil
}

// WriteFile writes data to path.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return ascood.Errorf(ascood.Invalid, "write %s: %w", path, err)
	}
	return f.Commit()
}

// File is a file in the making.
type File struct {
	*os.File
	path    string
	pending *renameio.PendingFile // nil for a device or a pipe
}

// Create begins to write path; a link is followed. What is written appears with
// Commit, but for a device or a pipe at once.
func Create(path string) (*File, error) {
	if path == "" {
		return nil, ascood.Errorf(ascood.Invalid, "the name of the file to write is empty")
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, ascood.Errorf(ascood.Invalid, "%s is a folder; want the name of a file to write", path)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "%w", err)
		}
		return &File{File: f, path: path}, nil
	}
	dir := filepath.Dir(path)
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithPermissions(0o644), renameio.WithExistingPermissions())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ascood.Errorf(ascood.Invalid, "cannot write %s: there is no folder %s", path, dir)
	case err != nil:
		return nil, ascood.Errorf(ascood.Invalid, "cannot write %s: %w", path, cause(err))
	}
	return &File{File: f.File, path: path, pending: f}, nil
}

// Commit makes what was written the file's content.
func (f *File) Commit() error {
	var err error
	if f.pending != nil {
		err = f.pending.CloseAtomicallyReplace()
	} else {
		err = f.Close()
	}
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "cannot write %s: %w", f.path, cause(err))
	}
	return nil
}

// Discard drops what was written; after Commit it does nothing.
func (f *File) Discard() {
	if f.pending != nil {
		f.pending.Cleanup()
	} else {
		f.Close()
	}
}

// cause strips an error of the temporary file's name.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
