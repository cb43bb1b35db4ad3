package eval

import (
	"image"

	"github.com/ascood/ascood/preprocess"
)

// concat is several datasets one after another.
type concat struct {
	sets  []preprocess.Dataset
	ends  []int // index after the last image of each
	total int
}

// Concat returns the images of several datasets as those of one.
func Concat(sets ...preprocess.Dataset) preprocess.Dataset {
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
	return s.Name(i)
}

func (c concat) Label(i int) int {
	s, i := c.at(i)
	return s.Label(i)
}

func (c concat) Load(i int) (image.Image, error) {
	s, i := c.at(i)
	return s.Load(i)
}

// at returns the dataset that image i is in, and its index there.
func (c concat) at(i int) (preprocess.Dataset, int) {
	k, start := 0, 0
	for i >= c.ends[k] {
		start = c.ends[k]
		k++
	}
	return c.sets[k], i - start
}
