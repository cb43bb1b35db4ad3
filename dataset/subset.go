package dataset

import (
	"context"
	"hash"
	"image"
	"math/rand/v2"
	"slices"

	"github.com/ascood/ascood/preprocess"
)

type subset struct {
	Dataset
	indices []int
}

// Subset returns the images of d at the given indices, in that order.
func Subset(d Dataset, indices []int) Dataset { return subset{d, indices} }

func (s subset) Len() int          { return len(s.indices) }
func (s subset) Name(i int) string { return s.Dataset.Name(s.indices[i]) }
func (s subset) Label(i int) int   { return s.Dataset.Label(s.indices[i]) }

func (s subset) Load(ctx context.Context, i int, how preprocess.Reading) (image.Image, error) {
	return s.Dataset.Load(ctx, s.indices[i], how)
}

func (s subset) Classes() []string      { return Classes(s.Dataset) }
func (s subset) ClassFolders() []string { return classFolders(s.Dataset) }
func (s subset) File(i int) string      { return fileOf(s.Dataset, s.indices[i]) }
func (s subset) IsCrop(i int) bool      { return isCrop(s.Dataset, s.indices[i]) }

func (s subset) Digest(h hash.Hash, picked []int) error {
	inner := make([]int, len(picked))
	for k, i := range picked {
		inner[k] = s.indices[i]
	}
	return digest(h, s.Dataset, inner)
}

// Sample picks n images, in their order, and the same ones each time.
func Sample(d Dataset, n int) Dataset {
	if n >= d.Len() {
		return d
	}
	picked := rand.New(rand.NewPCG(1, 1)).Perm(d.Len())[:n]
	slices.Sort(picked)
	return Subset(d, picked)
}
