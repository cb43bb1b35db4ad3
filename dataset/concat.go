package dataset

import (
	"context"
	"hash"
	"image"

	"github.com/ascood/ascood/preprocess"
)

// concat is several datasets one after another.
type concat struct {
	sets  []Dataset
	ends  []int // index after the last image of each
	total int
}

// Concat returns the images of several datasets as those of one.
func Concat(sets ...Dataset) Dataset {
	c := concat{sets: sets}
	for _, s := range sets {
		c.total += s.Len()
		c.ends = append(c.ends, c.total)
	}
	return c
}

func (c concat) Len() int { return c.total }

func (c concat) Name(i int) string {
	s, i := c.at(i)
	return c.sets[s].Name(i)
}

func (c concat) Label(i int) int {
	s, i := c.at(i)
	return c.sets[s].Label(i)
}

func (c concat) Load(ctx context.Context, i int, how preprocess.Reading) (image.Image, error) {
	s, i := c.at(i)
	return c.sets[s].Load(ctx, i, how)
}

func (c concat) File(i int) string {
	s, i := c.at(i)
	return fileOf(c.sets[s], i)
}

func (c concat) IsCrop(i int) bool {
	s, i := c.at(i)
	return isCrop(c.sets[s], i)
}

// Digest takes runs of images of one set together.
func (c concat) Digest(h hash.Hash, picked []int) error {
	for len(picked) > 0 {
		set, _ := c.at(picked[0])
		var inner []int
		for _, i := range picked {
			s, i := c.at(i)
			if s != set {
				break
			}
			inner = append(inner, i)
		}
		if err := digest(h, c.sets[set], inner); err != nil {
			return err
		}
		picked = picked[len(inner):]
	}
	return nil
}

// at returns which set image i is in, and its index there.
func (c concat) at(i int) (set, index int) {
	start := 0
	for i >= c.ends[set] {
		start = c.ends[set]
		set++
	}
	return set, i - start
}
