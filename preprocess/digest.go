package preprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"github.com/ascood/ascood"
)

// Digest identifies the images of a dataset and their labels: by the pixels where
// the dataset holds them (IDX and CIFAR files); where it does not, by the files'
// names, sizes and times of modification and the folder that they are under. A file
// that is missing is ascood.Invalid.
func Digest(d Dataset) (string, error) {
	all := make([]int, d.Len())
	for i := range all {
		all[i] = i
	}
	h := sha256.New()
	if err := digest(h, d, all); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digest is that of the picked images alone.
func digest(h hash.Hash, d Dataset, picked []int) error {
	switch d := d.(type) {
	case subset:
		inner := make([]int, len(picked))
		for k, i := range picked {
			inner[k] = d.indices[i]
		}
		return digest(h, d.Dataset, inner)
	case relabelled:
		fmt.Fprintf(h, "labelled %v ", d.labels)
		return digest(h, d.Dataset, picked)
	case *Folder:
		return d.digest(h, picked)
	case *files:
		return d.digest(h, picked)
	case *idx:
		fmt.Fprintf(h, "IDX %dx%d ", d.width, d.height)
		size := d.width * d.height
		for _, i := range picked {
			fmt.Fprintf(h, "%q %d ", d.Name(i), d.Label(i))
			h.Write(d.pixels[i*size:][:size])
		}
		return nil
	case *cifar:
		fmt.Fprintf(h, "%s ", d.format.name)
		for _, i := range picked {
			fmt.Fprintf(h, "%q ", d.Name(i))
			h.Write(d.records[i].data)
		}
		return nil
	}
	return ascood.Errorf(ascood.Internal, "no digest of a %T", d)
}

func (f *files) digest(h hash.Hash, picked []int) error {
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
		info, err := os.Stat(f.path(i))
		if err != nil {
			return missing(f, i, err)
		}
		fmt.Fprintf(h, "%q %d %d %d ", f.names[i], f.labels[i], info.Size(), info.ModTime().UnixNano())
	}
	return nil
}
