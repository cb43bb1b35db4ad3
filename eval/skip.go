package eval

import (
	"fmt"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
)

// skipped gathers the images of a set that cannot be loaded, where these are passed
// over, and tells of them at the end.
type skipped struct {
	evaluation *Evaluation
	set        string
	images     int // of the set
	broken     []error
}

// note is a ScanOptions.Broken.
func (s *skipped) note(err error) { s.broken = append(s.broken, err) }

// tell says what was passed over.
func (s *skipped) tell() {
	if len(s.broken) > 0 && s.evaluation.Skipped != nil {
		s.evaluation.Skipped(s.set, s.images, s.broken)
	}
}

// without returns a set without the images at the given indices, in rising order.
func (s Set) without(broken []int) Set {
	if len(broken) == 0 {
		return s
	}
	var sound []int
	for i := range s.Images.Len() {
		if _, found := slices.BinarySearch(broken, i); !found {
			sound = append(sound, i)
		}
	}
	s.Images, s.Skipped = dataset.Subset(s.Images, sound), len(broken)
	return s
}

// leaveOut takes the images that were passed over out of the sets, so that each
// image has its scores. All methods must have passed over the same.
func (e *Evaluation) leaveOut(results []Result) error {
	k := 0
	for set := range e.each() {
		broken := results[0].Scores[k].Broken
		for _, r := range results[1:] {
			if !slices.Equal(r.Scores[k].Broken, broken) {
				return ascood.Errorf(ascood.Invalid, "%s: %d images could not be loaded when %s was scored, %d when %s was: remove the stored scores of one",
					set.Name, len(broken), results[0].Method, len(r.Scores[k].Broken), r.Method)
			}
		}
		*set = set.without(broken)
		k++
	}
	return nil
}

// learn notes how many images of a set that methods learn from could be loaded.
func (e *Evaluation) learn(set string, sound, images int) {
	if e.notLearnt == nil {
		e.notLearnt = map[string][]string{}
	}
	e.notLearnt[set] = nil
	if sound < images {
		e.notLearnt[set] = []string{fmt.Sprintf("%d of %d images of %s could not be loaded and are left out", images-sound, images, set)}
	}
}

// gaps are the notes on the sets that a choice learns from.
func (e *Evaluation) gaps(c Choice) []string {
	var notes []string
	needs := c.Needs()
	if needs.Train {
		notes = append(notes, e.notLearnt[trainName]...)
	}
	if needs.ValidID || c.Search {
		notes = append(notes, e.notLearnt[validIDName]...)
	}
	if c.Search {
		notes = append(notes, e.notLearnt[validOODName]...)
	}
	return notes
}

// usable reports whether what is stored of so many images of a set is what the
// evaluation would find.
func (e *Evaluation) usable(sound, images int) bool {
	return sound == images || e.SkipBroken && sound < images
}
