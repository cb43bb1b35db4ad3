package preprocess

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"

	"github.com/ascood/ascood"
)

// Digest identifies the images of a dataset and their labels: by the pixels where
// the dataset holds them (IDX and CIFAR files), by the files' names and the folder
// that they are under where it does not. What has changed inside such files is not
// seen.
func Digest(d Dataset) (string, error) {
	h := sha256.New()
	if err := digest(h, d); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func digest(h hash.Hash, d Dataset) error {
	switch d := d.(type) {
	case subset:
		fmt.Fprintf(h, "%d of ", len(d.indices))
		for _, i := range d.indices {
			h.Write(binary.LittleEndian.AppendUint64(nil, uint64(i)))
		}
		return digest(h, d.Dataset)
	case relabelled:
		fmt.Fprintf(h, "labelled %v ", d.labels)
		return digest(h, d.Dataset)
	case *Folder:
		return d.digest(h)
	case *files:
		return d.digest(h)
	case *idx:
		fmt.Fprintf(h, "IDX %q %dx%d %d %t ", d.name, d.width, d.height, len(d.pixels), d.labels != nil)
		h.Write(d.pixels)
		h.Write(d.labels)
		return nil
	case *cifar:
		fmt.Fprintf(h, "%s %d ", d.format.name, len(d.records))
		for _, r := range d.records {
			fmt.Fprintf(h, "%q ", r.file)
			h.Write(r.data)
		}
		return nil
	}
	return ascood.Errorf(ascood.Internal, "no digest of a %T", d)
}

func (f *files) digest(h hash.Hash) error {
	// The folder itself, by whatever path it is reached.
	root, err := filepath.Abs(f.root)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	fmt.Fprintf(h, "files under %q %d ", root, len(f.names))
	for i, name := range f.names {
		fmt.Fprintf(h, "%q %d ", name, f.labels[i])
	}
	return nil
}
