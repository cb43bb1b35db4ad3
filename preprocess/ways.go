package preprocess

import (
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// Resize says which sides of an image become PreSize. The zero value is what files
// mean that do not say it.
type Resize int

// Ways to resize.
const (
	ResizeShorter Resize = iota // the shorter side; the other keeps the proportions
	ResizeSquash                // both sides, whatever the proportions: torchvision's Resize((H, W))
)

var resizes = []string{"shorter", "squash"}

func (r Resize) String() string { return resizes[r] }

// MarshalText writes the name.
func (r Resize) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a name. One that is unknown is ascood.Invalid.
func (r *Resize) UnmarshalText(text []byte) error { return parse(r, "resize", string(text), resizes) }

// Interpolation is the filter that images are resized with. The zero value is what
// files mean that do not say it.
type Interpolation int

// Filters, as PIL has them: as wide as the reduction, so that they smooth.
const (
	Bilinear Interpolation = iota
	Bicubic
)

var interpolations = []string{"bilinear", "bicubic"}

func (i Interpolation) String() string { return interpolations[i] }

// MarshalText writes the name.
func (i Interpolation) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads a name. One that is unknown is ascood.Invalid.
func (i *Interpolation) UnmarshalText(text []byte) error {
	return parse(i, "interpolation", string(text), interpolations)
}

// parse sets a value to the index of its name.
func parse[T ~int](value *T, field ascood.Field, name string, names []string) error {
	at := slices.Index(names, name)
	if at < 0 {
		return ascood.Errorf(ascood.Invalid, "unknown %s %q; known are %s", field, name, strings.Join(names, ", "))
	}
	*value = T(at)
	return nil
}
