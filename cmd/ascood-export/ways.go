package main

import (
	"fmt"
	"strings"

	"github.com/ascood/ascood/importer"
	"github.com/ascood/ascood/preprocess"
)

// way is how images become a network's input.
type way struct {
	preprocess.Config
	channels string // what --channels says; "" where that cannot be chosen
}

// values are normalisations that networks are trained with, by the values that come of
// pixels; Caffe's networks take its means off pixels from 0 to 255.
var values = []struct{ mean, std [3]float64 }{
	{[3]float64{0, 0, 0}, [3]float64{1, 1, 1}},
	{[3]float64{.5, .5, .5}, [3]float64{.5, .5, .5}},
	{[3]float64{0, 0, 0}, [3]float64{1. / 255, 1. / 255, 1. / 255}},
	{[3]float64{.485, .456, .406}, [3]float64{.229, .224, .225}},
	{[3]float64{123.68 / 255, 116.779 / 255, 103.939 / 255}, [3]float64{1. / 255, 1. / 255, 1. / 255}},
}

// inputs are the ways that give a network other numbers of the same crops: all
// normalisations with red and blue in either order. The first is w itself.
func (w way) inputs() []way {
	all := []way{w}
	for _, v := range values {
		other := w
		other.Mean, other.Std = v.mean, v.std
		uneven := v.mean[0] != v.mean[1] || v.std[0] != v.std[1]
		if (v.mean != w.Mean || v.std != w.Std) && !(uneven && w.channels == importer.Gray) {
			all = append(all, other)
		}
	}
	swapped, ok := map[string]string{importer.RGB: importer.BGR, importer.BGR: importer.RGB}[w.channels]
	for _, other := range all {
		if other.channels = swapped; ok {
			all = append(all, other)
		}
	}
	return all
}

// crops are the ways that cut other crops: by the other filter, squashed, with nothing
// cut off the shorter side, or turned as cameras note or not.
func (w way) crops() []way {
	var all []way
	for _, resize := range []struct {
		preSize int
		how     preprocess.Resize
	}{{w.PreSize, w.Resize}, {w.ImageSize, preprocess.ResizeSquash}, {w.ImageSize, preprocess.ResizeShorter}} {
		for _, filter := range []preprocess.Interpolation{preprocess.Bilinear, preprocess.Bicubic} {
			other := w
			other.PreSize, other.Resize, other.Interpolation = resize.preSize, resize.how, filter
			known := other == w
			for _, before := range all {
				known = known || other == before
			}
			if !known {
				all = append(all, other)
			}
		}
	}
	turned := w
	if turned.Orientation = preprocess.Apply; w.Orientation == preprocess.Apply {
		turned.Orientation = preprocess.Ignore
	}
	return append(all, turned)
}

// flags are what gives a way in place of another.
func (w way) flags(given way) string {
	var flags []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			flags = append(flags, fmt.Sprintf(format, args...))
		}
	}
	add(w.channels != given.channels, "--channels %s", w.channels)
	add(w.Mean != given.Mean || w.Std != given.Std, "--mean %s --std %s", perChannel(w.Mean), perChannel(w.Std))
	add(w.PreSize != given.PreSize, "--pre-size %d", w.PreSize)
	add(w.Resize != given.Resize, "--resize %s", w.Resize)
	add(w.Orientation != given.Orientation, "--exif-orientation %s", w.Orientation)
	add(w.Interpolation != given.Interpolation, "--interpolation %s", w.Interpolation)
	return strings.Join(flags, " ")
}

// perChannel is a value of each channel, as flags take them.
func perChannel(v [3]float64) string {
	return fmt.Sprintf("%.6g,%.6g,%.6g", v[0], v[1], v[2])
}

// input makes the network's input [N,3,S,S] of crops uint8 [N,S,S,3], as the graph of a
// model made for the way given would.
func (w way) input(pixels []uint8, given way) []float32 {
	plane := w.ImageSize * w.ImageSize
	values := make([]float32, len(pixels))
	for at := 0; at < len(pixels); at += 3 * plane {
		for c := range 3 {
			to := c
			if w.channels != given.channels {
				to = 2 - c
			}
			mean, std := float32(w.Mean[c]), float32(w.Std[c])
			for k := range plane {
				values[at+to*plane+k] = (float32(pixels[at+3*k+c])/255 - mean) / std
			}
		}
	}
	return values
}
