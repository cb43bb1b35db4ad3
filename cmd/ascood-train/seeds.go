package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// seedList is the value of --seeds: different numbers, each for a run.
type seedList []uint64

// Set adds the seeds of a comma-separated list.
func (l *seedList) Set(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		seed, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			return errors.New("want numbers from 0, such as 0,1,2")
		}
		if slices.Contains(*l, seed) {
			return fmt.Errorf("%d is there twice, but makes one run", seed)
		}
		*l = append(*l, seed)
	}
	return nil
}

func (l *seedList) String() string {
	words := make([]string, len(*l))
	for i, seed := range *l {
		words[i] = strconv.FormatUint(seed, 10)
	}
	return strings.Join(words, ",")
}

// Type stands for a value in the help.
func (l *seedList) Type() string { return "seeds" }
