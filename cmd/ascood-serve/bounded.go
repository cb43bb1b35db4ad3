package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// bounded is the value of a flag that takes what lies in a range, ends included.
type bounded[T cmp.Ordered] struct {
	value    *T
	min, max T
	parse    func(string) (T, error)
}

func count(value *int, most int) *bounded[int] {
	return &bounded[int]{value, 1, most, strconv.Atoi}
}

func number(value *float64, least, most float64) *bounded[float64] {
	return &bounded[float64]{value, least, most, func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }}
}

func duration(value *time.Duration, least, most time.Duration) *bounded[time.Duration] {
	return &bounded[time.Duration]{value, least, most, time.ParseDuration}
}

// Set refuses what is no number alike with what is out of range: the range says
// what is wanted of either.
func (b *bounded[T]) Set(text string) error {
	v, err := b.parse(text)
	if err != nil || !(v >= b.min && v <= b.max) { // NaN is in no range
		return fmt.Errorf("must be from %v to %v", b.min, b.max)
	}
	*b.value = v
	return nil
}

func (b *bounded[T]) String() string { return fmt.Sprint(*b.value) }

// Type stands for a value in the help.
func (b *bounded[T]) Type() string {
	if _, ok := any(b.min).(time.Duration); ok {
		return "duration"
	}
	return "number"
}
