package dataset

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"image"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// files is a collection of image files under a folder.
type files struct {
	root   string
	names  []string // relative to root, slash-separated
	labels []int
}

// OpenFiles returns unlabelled images of the given paths, each named as given. A
// path that is no image is found when it is loaded.
func OpenFiles(paths []string) Dataset {
	f := &files{}
	for _, p := range paths {
		f.add(p, Unlabelled)
	}
	return f
}

func (f *files) Len() int          { return len(f.names) }
func (f *files) Name(i int) string { return f.names[i] }
func (f *files) Label(i int) int   { return f.labels[i] }
func (f *files) File(i int) string { return filepath.Join(f.root, filepath.FromSlash(f.names[i])) }

func (f *files) Load(ctx context.Context, i int, how preprocess.Reading) (image.Image, error) {
	return how.DecodeFile(ctx, f.File(i), preprocess.DefaultMaxPixels)
}

func (f *files) add(name string, label int) {
	f.names = append(f.names, name)
	f.labels = append(f.labels, label)
}

func (f *files) Digest(h hash.Hash, picked []int) error {
	// The folder itself, by whatever path it is reached.
	root, err := filepath.Abs(f.root)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	fmt.Fprintf(h, "files under %q ", root)
	for _, i := range picked {
		info, err := os.Stat(f.File(i))
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(h, "%q %d missing ", f.names[i], f.labels[i])
			continue
		}
		if err != nil {
			return ascood.Errorf(ascood.Invalid, "%w", err)
		}
		fmt.Fprintf(h, "%q %d %d %d ", f.names[i], f.labels[i], info.Size(), info.ModTime().UnixNano())
	}
	return nil
}
