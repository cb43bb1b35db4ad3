package preprocess

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// Config says how an image becomes a network's input: it is resized to PreSize as
// Resize and Interpolation say, the centre cropped to ImageSize x ImageSize, and the
// network's graph then computes (pixel/255 - Mean)/Std for each channel.
type Config struct {
	PreSize       int           `json:"pre_size"`   // pixels
	ImageSize     int           `json:"image_size"` // pixels
	Mean          [3]float64    `json:"mean"`       // R, G, B, of pixel/255
	Std           [3]float64    `json:"std"`        // R, G, B, of pixel/255
	Resize        Resize        `json:"resize"`
	Interpolation Interpolation `json:"interpolation"`
	Reading                     // how image files are read
}

// UnmarshalJSON reads a configuration. One that was written before there was a choice
// says nothing of 16-bit gray: it was scaled.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	read := plain{Reading: Reading{Gray16: Scale}}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*c = Config(read)
	return nil
}

// maxSide is far above what any network takes and keeps sizes from overflowing.
const maxSide = 1 << 14

// Validate returns an ascood.Invalid error that names the first value that
// cannot be.
func (c Config) Validate() error {
	if c.PreSize < 1 || c.PreSize > maxSide {
		return ascood.Errorf(ascood.Invalid, "%s %d: must be 1 to %d pixels", ascood.Field("pre_size"), c.PreSize, maxSide)
	}
	if c.ImageSize < 1 || c.ImageSize > maxSide {
		return ascood.Errorf(ascood.Invalid, "%s %d: must be 1 to %d pixels", ascood.Field("image_size"), c.ImageSize, maxSide)
	}
	for i, channel := range []string{"red", "green", "blue"} {
		if math.IsNaN(c.Mean[i]) || math.IsInf(c.Mean[i], 0) {
			return ascood.Errorf(ascood.Invalid, "%s of %s is %v: must be finite", ascood.Field("mean"), channel, c.Mean[i])
		}
		if !(c.Std[i] > 0) || math.IsInf(c.Std[i], 0) {
			return ascood.Errorf(ascood.Invalid, "%s of %s is %v: must be finite and above 0", ascood.Field("std"), channel, c.Std[i])
		}
	}
	return c.checkUnits()
}

// checkUnits reports a normalisation that is of pixel values to 255: with it all images
// look alike to the network.
func (c Config) checkUnits() error {
	for _, n := range []struct {
		field  ascood.Field
		values [3]float64
	}{{"mean", c.Mean}, {"std", c.Std}} {
		if slices.Max(n.values[:]) > 1 {
			return ascood.Errorf(ascood.Invalid, "%s %s is of pixel values from 0 to 255; it must be of values from 0 to 1: divide it by 255, which gives %s",
				n.field, list(n.values), list([3]float64{shorten(n.values[0] / 255), shorten(n.values[1] / 255), shorten(n.values[2] / 255)}))
		}
	}
	return nil
}

// shorten rounds to four decimals, as such numbers are published.
func shorten(v float64) float64 { return math.Round(v*1e4) / 1e4 }

// list is a value of each channel, as flags take them.
func list(v [3]float64) string { return fmt.Sprintf("%v,%v,%v", v[0], v[1], v[2]) }

// CropLen is the number of bytes of a crop: ImageSize·ImageSize·3.
func (c Config) CropLen() int { return c.ImageSize * c.ImageSize * 3 }

// String describes the configuration, as in "resize 256, crop 224, mean
// 0.485,0.456,0.406, std 0.229,0.224,0.225".
func (c Config) String() string {
	way := ""
	if c.Resize != ResizeShorter {
		way += fmt.Sprintf(" (%s)", c.Resize)
	}
	if c.Interpolation != Bilinear {
		way += fmt.Sprintf(" (%s)", c.Interpolation)
	}
	text := fmt.Sprintf("resize %d%s, crop %d, mean %s, std %s", c.PreSize, way, c.ImageSize, list(c.Mean), list(c.Std))
	return text + c.Reading.unusual()
}

// Missing says how preprocessing can be given where it must be.
func Missing() error {
	return ascood.Errorf(ascood.Invalid, "%s with one of %s, or %s, %s, %s and %s", ascood.Field("preprocess"), strings.Join(Presets(), ", "),
		ascood.Field("pre_size"), ascood.Field("image_size"), ascood.Field("mean"), ascood.Field("std"))
}
