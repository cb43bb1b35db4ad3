package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/ascood/ascood"
)

// Digest identifies the images of a dataset and their labels: by the pixels where
// the dataset holds them (IDX and CIFAR files); where it does not, by the files'
// names, sizes and times of modification and the folder that they are under. That a
// file is missing is part of it: CheckFiles reports such.
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
	if d, ok := d.(Digester); ok {
		return d.Digest(h, picked)
	}
	return ascood.Errorf(ascood.Internal, "no digest of a %T", d)
}
