package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood"
)

// within is the value of a flag that takes what lies in a range, ends included.
type within[T cmp.Ordered] struct {
	value       *T
	least, most T
	parse       func(string) (T, error)
}

// Int is a flag's value from least to most.
func Int(value *int, least, most int) pflag.Value {
	return &within[int]{value, least, most, strconv.Atoi}
}

// Float is a flag's value from least to most.
func Float(value *float64, least, most float64) pflag.Value {
	return &within[float64]{value, least, most, func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }}
}

// Duration is a flag's value from least to most.
func Duration(value *time.Duration, least, most time.Duration) pflag.Value {
	return &within[time.Duration]{value, least, most, time.ParseDuration}
}

// Set refuses what is no number alike with what is out of range: the range says
// what is wanted of either.
func (w *within[T]) Set(text string) error {
	v, err := w.parse(text)
	if err != nil || !(v >= w.least && v <= w.most) { // NaN is in no range
		return fmt.Errorf("must be from %v to %v", w.least, w.most)
	}
	*w.value = v
	return nil
}

func (w *within[T]) String() string { return fmt.Sprint(*w.value) }

// Type stands for a value in the help.
func (w *within[T]) Type() string {
	if _, ok := any(w.least).(time.Duration); ok {
		return "duration"
	}
	return "number"
}

// Names is a flag's value: names separated by commas, or none. A flag that is repeated
// has them all.
func Names(names *[]string) pflag.Value { return &namesValue{names} }

type namesValue struct{ names *[]string }

func (v *namesValue) Set(text string) error {
	if *v.names = append([]string{}, *v.names...); text == "" {
		return nil
	}
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			return errors.New("want names separated by commas")
		}
		*v.names = append(*v.names, name)
	}
	return nil
}

func (v *namesValue) String() string { return strings.Join(*v.names, ",") }
func (v *namesValue) Type() string   { return "names" }

// mostThreads is more than any machine can use, and few enough to start.
const mostThreads = 1024

// AddThreads defines a flag for a number of threads or the like, where 0 is one a
// core.
func AddThreads(fs *pflag.FlagSet, value *int, name, usage string) {
	fs.Var(Int(value, 0, mostThreads), name, usage+"; 0 is one a core")
}

// Device is a flag's value: a device that is to be computed on.
func Device(device *ascood.Device) pflag.Value { return &deviceValue{device} }

// AddDevice defines --device.
func AddDevice(fs *pflag.FlagSet, device *ascood.Device, otherwise string) {
	d := &deviceValue{device}
	if err := d.Set(otherwise); err != nil {
		panic(err) // the program names no device
	}
	fs.Var(d, "device", "where to compute: cpu, cuda, cuda:N or auto, which takes a GPU if there is one")
}

type deviceValue struct{ device *ascood.Device }

func (v *deviceValue) Set(text string) (err error) {
	*v.device, err = ascood.ParseDevice(text)
	return err
}

func (v *deviceValue) String() string { return v.device.String() }
func (v *deviceValue) Type() string   { return "device" }
