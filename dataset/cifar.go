package dataset

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/preprocess"
)

// cifarSide is the width and the height of every image; cifarPixels is the
// length of its three planes, red, green and blue.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarPixels = 3 * cifarPlane
)

// cifarFormat is one of the two binary formats. A file is a run of records: the
// labels, a byte each and the class the last of them, and the pixels.
type cifarFormat struct {
	name     string
	labels   int
	classes  int
	training []string // the files of the training images
	names    string   // the file of the class names, beside the others
}

var cifarFormats = []cifarFormat{
	{"CIFAR-10", 1, 10, []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}, "batches.meta.txt"},
	{"CIFAR-100", 2, 100, []string{"train.bin"}, "fine_label_names.txt"},
}

func (f cifarFormat) recordLen() int { return f.labels + cifarPixels }

// cifar is a set of images in one of these formats.
type cifar struct {
	format  cifarFormat
	classes []string // nil where the file of names is missing
	records []cifarRecord
}

type cifarRecord struct {
	file   string
	number int // in the file, from 0
	data   []uint8
}

// OpenCIFAR reads files of the binary version of CIFAR-10 or CIFAR-100, which
// their length tells; with several, the images of one follow those of the other.
// The labels of CIFAR-100 are its 100 fine ones. Class names come from the file
// that is distributed beside the images, if it is there. A file that is no run
// of whole records, labels that are no classes, and files of both formats are
// ascood.Invalid.
func OpenCIFAR(paths ...string) (Dataset, error) {
	if len(paths) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "no files of CIFAR images")
	}
	d := &cifar{}
	for _, path := range paths {
		if err := d.read(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return d, d.readClasses(filepath.Join(filepath.Dir(paths[0]), d.format.names))
}

// cifarTraining returns the files of the training images if dir is the folder
// in which CIFAR-10 or CIFAR-100 is distributed, else nothing. A file that is
// missing shows when it is opened.
func cifarTraining(dir string) []string {
	for _, format := range cifarFormats {
		if _, err := os.Stat(filepath.Join(dir, format.training[0])); err != nil {
			continue
		}
		var paths []string
		for _, name := range format.training {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
	return nil
}

func (d *cifar) Len() int { return len(d.records) }

func (d *cifar) Name(i int) string {
	return fmt.Sprintf("%s[%d]", d.records[i].file, d.records[i].number)
}

func (d *cifar) Label(i int) int   { return int(d.records[i].data[d.format.labels-1]) }
func (d *cifar) Classes() []string { return d.classes }

func (d *cifar) Load(_ context.Context, i int, _ preprocess.Reading) (image.Image, error) {
	planes := d.records[i].data[d.format.labels:]
	red, green, blue := planes[:cifarPlane], planes[cifarPlane:2*cifarPlane], planes[2*cifarPlane:]
	img := image.NewNRGBA(image.Rect(0, 0, cifarSide, cifarSide))
	for k := range cifarPlane {
		p := img.Pix[4*k : 4*k+4 : 4*k+4]
		p[0], p[1], p[2], p[3] = red[k], green[k], blue[k], 0xff
	}
	return img, nil
}

func (d *cifar) Digest(h hash.Hash, picked []int) error {
	fmt.Fprintf(h, "%s ", d.format.name)
	for _, i := range picked {
		fmt.Fprintf(h, "%q ", d.Name(i))
		h.Write(d.records[i].data)
	}
	return nil
}

// read adds the images of a file.
func (d *cifar) read(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	format, err := cifarFormatOf(len(content))
	if err != nil {
		return err
	}
	if d.format.name != "" && d.format.name != format.name {
		return ascood.Errorf(ascood.Invalid, "a file of %s among those of %s", format.name, d.format.name)
	}
	d.format = format
	for number := range len(content) / format.recordLen() {
		record := content[number*format.recordLen():][:format.recordLen():format.recordLen()]
		if class := int(record[format.labels-1]); class >= format.classes {
			return ascood.Errorf(ascood.Invalid, "image %d has the label %d: no file of %s, which has %d classes", number, class, format.name, format.classes)
		}
		d.records = append(d.records, cifarRecord{filepath.Base(path), number, record})
	}
	return nil
}

// cifarFormatOf tells the format by a file's length.
func cifarFormatOf(length int) (cifarFormat, error) {
	var want []string
	for _, format := range cifarFormats {
		if length > 0 && length%format.recordLen() == 0 {
			return format, nil
		}
		want = append(want, fmt.Sprintf("%d (%s)", format.recordLen(), format.name))
	}
	return cifarFormat{}, ascood.Errorf(ascood.Invalid, "%d bytes: truncated, or no file of CIFAR images, which are records of %s bytes",
		length, strings.Join(want, " or "))
}

func (d *cifar) readClasses(path string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	names, err := ReadClasses(path)
	if err != nil {
		return err
	}
	if len(names) != d.format.classes {
		return ascood.Errorf(ascood.Invalid, "%s: %d class names, but %s has %d", path, len(names), d.format.name, d.format.classes)
	}
	d.classes = names
	return nil
}
