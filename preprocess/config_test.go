package preprocess

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ascood/ascood"
)

func TestPresets(t *testing.T) {
	for name, want := range map[string]struct {
		pre, size int
		mean, std float64 // of red
	}{
		"cifar10":     {32, 32, .4914, .2470},
		"cifar100":    {32, 32, .5071, .2675},
		"waterbirds":  {256, 224, .485, .229},
		"celeba":      {256, 224, .485, .229},
		"cars":        {512, 448, .485, .229},
		"aircraft":    {512, 448, .485, .229},
		"imagenet100": {256, 224, .485, .229},
		"imagenet200": {256, 224, .485, .229},
		"imagenet":    {256, 224, .485, .229},
	} {
		c, err := Preset(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if c.PreSize != want.pre || c.ImageSize != want.size || c.Mean[0] != want.mean || c.Std[0] != want.std {
			t.Errorf("%s: %+v, want %+v", name, c, want)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(Presets()) != 9 || !slices.IsSorted(Presets()) {
		t.Errorf("presets %v, want 9 sorted names", Presets())
	}
	_, err := Preset("mnist")
	if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), "cifar10, cifar100") {
		t.Errorf("unknown preset: %v, want an error that lists the known ones", err)
	}
}

func TestConfigJSON(t *testing.T) {
	c := presets["cifar10"]
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"pre_size":32,"image_size":32,"mean":[0.4914,0.4822,0.4465],"std":[0.247,0.2435,0.2616],"resize":"shorter","interpolation":"bilinear","gray16":"clip","exif_orientation":"ignore","truncated":"refuse"}`
	if string(text) != want {
		t.Errorf("JSON %s, want %s", text, want)
	}
	var read Config
	if err := json.Unmarshal(text, &read); err != nil || read != c {
		t.Errorf("read %+v, %v; want %+v", read, err, c)
	}
	for text, want := range map[string]string{
		`{"truncated":"never"}`: `unknown truncated "never"; known are refuse, fill`,
		`{"resize":"longer"}`:   `unknown resize "longer"; known are shorter, squash`,
	} {
		if err := json.Unmarshal([]byte(text), &read); ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", text, err, want)
		}
	}
}

// TestConfigOfOtherWays: ways other than the published ones are written, read and told.
func TestConfigOfOtherWays(t *testing.T) {
	c := presets["cifar10"]
	c.Resize, c.Interpolation, c.Truncated = ResizeSquash, Bicubic, Fill
	text, err := json.Marshal(c)
	if err != nil || !strings.Contains(string(text), `"resize":"squash","interpolation":"bicubic"`) {
		t.Errorf("JSON %s (%v)", text, err)
	}
	var again Config
	if err := json.Unmarshal(text, &again); err != nil || again != c {
		t.Errorf("%s is %+v (%v)", text, again, err)
	}
	if got := c.String(); !strings.HasPrefix(got, "resize 32 (squash) (bicubic), crop 32,") || !strings.HasSuffix(got, ", truncated images: fill") {
		t.Errorf("described as %s", got)
	}
}

// TestConfigOfOldFiles: before there was a choice, files were read so.
func TestConfigOfOldFiles(t *testing.T) {
	var c Config
	if err := json.Unmarshal([]byte(`{"pre_size":32,"image_size":32,"mean":[0,0,0],"std":[1,1,1]}`), &c); err != nil {
		t.Fatal(err)
	}
	if want := (Reading{Gray16: Scale, Orientation: Ignore, Truncated: Refuse}); c.Reading != want || c.PreSize != 32 || c.Resize != ResizeShorter || c.Interpolation != Bilinear {
		t.Errorf("read %+v, want %+v and resizing as it was", c, want)
	}
}

func TestConfigValidate(t *testing.T) {
	for want, spoil := range map[string]func(*Config){
		"pre_size 0":      func(c *Config) { c.PreSize = 0 },
		"pre_size 100000": func(c *Config) { c.PreSize = 100_000 },
		"image_size -1":   func(c *Config) { c.ImageSize = -1 },
		"std of green":    func(c *Config) { c.Std[1] = 0 },
		"std of blue":     func(c *Config) { c.Std[2] = math.NaN() },
		"mean of red":     func(c *Config) { c.Mean[0] = math.Inf(1) },
		"mean 123.675,116.28,103.53 is of pixel values from 0 to 255; it must be of values from 0 to 1: divide it by 255, which gives 0.485,0.456,0.406": func(c *Config) {
			c.Mean = [3]float64{123.675, 116.28, 103.53}
		},
		"std 58.395,57.12,57.375 is of pixel values": func(c *Config) { c.Std = [3]float64{58.395, 57.12, 57.375} },
	} {
		c := presets["cifar10"]
		spoil(&c)
		err := c.Validate()
		if ascood.CodeOf(err) != ascood.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
