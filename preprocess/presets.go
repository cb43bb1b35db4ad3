package preprocess

import (
	"maps"
	"slices"
	"strings"

	"github.com/ascood/ascood"
)

// stats are the channel means and standard deviations of a training set.
type stats struct{ mean, std [3]float64 }

var (
	cifar10Stats  = stats{[3]float64{.4914, .4822, .4465}, [3]float64{.2470, .2435, .2616}}
	cifar100Stats = stats{[3]float64{.5071, .4867, .4408}, [3]float64{.2675, .2565, .2761}}
	imagenetStats = stats{[3]float64{.485, .456, .406}, [3]float64{.229, .224, .225}}
)

// presets are the input formats of the published experiments, by ID set.
var presets = map[string]Config{
	"cifar10":     preset(32, 32, cifar10Stats),
	"cifar100":    preset(32, 32, cifar100Stats),
	"waterbirds":  preset(256, 224, imagenetStats),
	"celeba":      preset(256, 224, imagenetStats),
	"cars":        preset(512, 448, imagenetStats),
	"aircraft":    preset(512, 448, imagenetStats),
	"imagenet100": preset(256, 224, imagenetStats),
	"imagenet200": preset(256, 224, imagenetStats),
	"imagenet":    preset(256, 224, imagenetStats),
}

func preset(preSize, imageSize int, s stats) Config {
	return Config{PreSize: preSize, ImageSize: imageSize, Mean: s.mean, Std: s.std}
}

// Preset returns the configuration published for an ID set. An unknown name is
// ascood.Invalid; the error lists the known ones.
func Preset(name string) (Config, error) {
	c, ok := presets[name]
	if !ok {
		return Config{}, ascood.Errorf(ascood.Invalid, "unknown preprocessing %q; known are %s",
			name, strings.Join(Presets(), ", "))
	}
	return c, nil
}

// Presets returns the names that Preset knows, sorted.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }
