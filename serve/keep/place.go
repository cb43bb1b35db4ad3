package keep

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
)

// place is where files go, by names whose parts are separated by slashes. A file is there
// as a whole or not at all.
type place interface {
	has(name string) (bool, error)
	put(name string, data []byte) error
}

// openPlace opens a folder, which is made if need be, or a bucket; bytes is the size of
// all that is there.
func openPlace(where string) (at place, bytes int64, err error) {
	if strings.Contains(where, "://") {
		at, bytes, err = openBucket(where)
	} else {
		at, bytes, err = openFolder(where)
	}
	if err != nil {
		return nil, 0, ascood.Errorf(ascood.Unavailable, "place to keep images in: %w", err)
	}
	return at, bytes, nil
}

type folder string

func openFolder(where string) (_ place, bytes int64, err error) {
	if err := os.MkdirAll(where, 0o700); err != nil {
		return nil, 0, err
	}
	err = filepath.WalkDir(where, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return folder(where), bytes, err
}

func (f folder) has(name string) (bool, error) {
	_, err := os.Stat(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (f folder) put(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(f.path(name), data)
}

func (f folder) path(name string) string { return filepath.Join(string(f), filepath.FromSlash(name)) }
