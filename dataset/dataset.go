package dataset

import (
	"context"
	"hash"
	"image"

	"github.com/ascood/ascood/preprocess"
)

// Unlabelled is the label of an image without a class, such as one that is out
// of distribution.
const Unlabelled = -1

// Dataset is an indexed collection of images. Its methods may be called
// concurrently. As with a slice, an index must be from 0 to Len()-1.
type Dataset interface {
	Len() int
	Name(i int) string // path relative to the root, or "t10k-images-idx3-ubyte[17]"
	Label(i int) int   // class, or Unlabelled
	// Load returns an image as preprocess.Reading.Decode does, not to be written to;
	// the error names the image. It gives up when ctx ends.
	Load(ctx context.Context, i int, how preprocess.Reading) (image.Image, error)
}

// What a kind of dataset may know besides.
type (
	// Classer knows the names of the classes, by label; nil if it does not after all.
	Classer interface{ Classes() []string }
	// Foldered has a folder for each class, and numbers the classes in the folders'
	// order; nil if it has not after all.
	Foldered interface{ ClassFolders() []string }
	// Filer has images in files of their own, and returns the path of one's, "" if it
	// has none.
	Filer interface{ File(i int) string }
	// Cropped has images that are crops already, and reports whether one is such.
	Cropped interface{ IsCrop(i int) bool }
	// Digester writes what identifies the picked images and their labels.
	Digester interface {
		Digest(h hash.Hash, picked []int) error
	}
)

// Classes returns the class names of a dataset that knows them, else nil.
func Classes(d Dataset) []string {
	if d, ok := d.(Classer); ok {
		return d.Classes()
	}
	return nil
}

// classFolders returns the names of a dataset's class folders, nil if it has none.
func classFolders(d Dataset) []string {
	if d, ok := d.(Foldered); ok {
		return d.ClassFolders()
	}
	return nil
}

// fileOf returns the file of an image, "" if it has none of its own.
func fileOf(d Dataset, i int) string {
	if d, ok := d.(Filer); ok {
		return d.File(i)
	}
	return ""
}
