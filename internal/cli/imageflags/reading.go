package imageflags

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/ascood/ascood/internal/cli"
	"github.com/ascood/ascood/preprocess"
)

// readingNames are the flags of preprocess.Reading.
var readingNames = []string{"gray16", "exif-orientation", "truncated"}

// addReading defines the flags that say how image files are read.
func addReading(fs *pflag.FlagSet, r *preprocess.Reading) {
	fs.TextVar(&r.Gray16, "gray16", preprocess.Clip, "`clip|scale` gray levels of 16 bits: those above 255 are white, as in PIL, or the upper byte is kept")
	fs.TextVar(&r.Orientation, "exif-orientation", preprocess.Ignore, "`ignore|apply` the orientation that cameras note in JPEG, PNG and WebP files; the published networks were trained without it")
	fs.TextVar(&r.Truncated, "truncated", preprocess.Refuse, "`refuse|fill` JPEG, PNG and GIF files that end early; filled as by PIL's LOAD_TRUNCATED_IMAGES")
}

// givenReading lists those of the flags that were given.
func (p *Preprocess) givenReading() string {
	var given []string
	for _, name := range readingNames {
		if p.fs.Changed(name) {
			given = append(given, "--"+name)
		}
	}
	return strings.Join(given, ", ")
}

// read returns base with what the flags say of reading.
func (p *Preprocess) read(base preprocess.Config) preprocess.Config {
	if p.fs.Changed("gray16") {
		base.Gray16 = p.reading.Gray16
	}
	if p.fs.Changed("exif-orientation") {
		base.Orientation = p.reading.Orientation
	}
	if p.fs.Changed("truncated") {
		base.Truncated = p.reading.Truncated
	}
	return base
}

// alone is the error of flags of reading without the rest of preprocessing.
func (p *Preprocess) alone() error {
	if given := p.givenReading(); given != "" {
		return cli.Usagef("%s: needs --preprocess, or --pre-size, --image-size, --mean and --std, beside it", given)
	}
	return nil
}
