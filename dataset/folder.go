package dataset

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// Folder is a dataset of image files in a folder: either one subfolder for each
// class, or all images directly in it and without labels.
type Folder struct {
	files
	classes []string
}

// Classes returns the names of the subfolders, sorted; the index of a name is
// the label of its images. It is nil for a folder without subfolders.
func (f *Folder) Classes() []string { return f.classes }

// ClassFolders returns the same.
func (f *Folder) ClassFolders() []string { return f.classes }

var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}

// OpenFolder finds the images in dir: those of each class in a subfolder (at
// any depth of it), or unlabelled ones in dir itself. Both at once, a class
// without images, or no image at all are ascood.Invalid. Files of other kinds
// and those whose name begins with a dot are passed over.
func OpenFolder(dir string) (*Folder, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	f := &Folder{files: files{root: dir}}
	for _, entry := range entries {
		switch {
		case hidden(entry.Name()):
		case isDir(dir, entry):
			f.classes = append(f.classes, entry.Name())
		case isImage(entry.Name()):
			f.add(entry.Name(), Unlabelled)
		}
	}
	if f.Len() > 0 && len(f.classes) > 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s holds both images (%s, …) and folders (%s, …): want one folder a class, or images only",
			dir, f.Name(0), f.classes[0])
	}
	for label, class := range f.classes {
		if err := f.addClass(class, label); err != nil {
			return nil, err
		}
	}
	if f.Len() == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s: no images (%s)", dir, strings.Join(extensions, " "))
	}
	return f, nil
}

// addClass adds the images of a class folder, which may be a symbolic link.
func (f *Folder) addClass(class string, label int) error {
	before := f.Len()
	root := os.DirFS(path.Join(f.root, class))
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && hidden(entry.Name()):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && isImage(name):
			f.add(path.Join(class, name), label)
		}
		return nil
	})
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "%s: %w", path.Join(f.root, class), err)
	}
	if f.Len() == before {
		return ascood.Errorf(ascood.Invalid, "%s: no images in the folder of class %q (%s)",
			path.Join(f.root, class), class, strings.Join(extensions, " "))
	}
	return nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

func isImage(name string) bool {
	return slices.Contains(extensions, strings.ToLower(path.Ext(name)))
}

// isDir follows symbolic links, of which data sets are often made.
func isDir(dir string, entry fs.DirEntry) bool {
	info, err := os.Stat(path.Join(dir, entry.Name()))
	return err == nil && info.IsDir()
}
