package preprocess

import (
	"image"
	"path/filepath"
)

// Unlabelled is the label of an image without a class, such as one that is out
// of distribution.
const Unlabelled = -1

// Dataset is an indexed collection of images. Its methods may be called
// concurrently. As with a slice, an index must be from 0 to Len()-1.
type Dataset interface {
	Len() int
	Name(i int) string               // path relative to the root, or "t10k-images-idx3-ubyte[17]"
	Label(i int) int                 // class, or Unlabelled
	Load(i int) (image.Image, error) // as Decode returns it, not to be written to; the error names the image
}

// files is a collection of image files under a folder.
type files struct {
	root   string
	names  []string // relative to root, slash-separated
	labels []int
}

func (f *files) Len() int          { return len(f.names) }
func (f *files) Name(i int) string { return f.names[i] }
func (f *files) Label(i int) int   { return f.labels[i] }

func (f *files) Load(i int) (image.Image, error) {
	return DecodeFile(f.path(i), DefaultMaxPixels)
}

func (f *files) path(i int) string { return filepath.Join(f.root, filepath.FromSlash(f.names[i])) }

func (f *files) add(name string, label int) {
	f.names = append(f.names, name)
	f.labels = append(f.labels, label)
}

type subset struct {
	Dataset
	indices []int
}

// Subset returns the images of d at the given indices, in that order.
func Subset(d Dataset, indices []int) Dataset { return subset{d, indices} }

func (s subset) Len() int          { return len(s.indices) }
func (s subset) Name(i int) string { return s.Dataset.Name(s.indices[i]) }
func (s subset) Label(i int) int   { return s.Dataset.Label(s.indices[i]) }

func (s subset) Load(i int) (image.Image, error) { return s.Dataset.Load(s.indices[i]) }

// Classes returns the class names of a dataset that knows them (a *Folder,
// CIFAR's own files, or a Subset of either), else nil.
func Classes(d Dataset) []string {
	if named, ok := d.(interface{ Classes() []string }); ok {
		return named.Classes()
	}
	return nil
}

// Classes are those of the whole.
func (s subset) Classes() []string { return Classes(s.Dataset) }
