package dataset

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
)

// Open opens a dataset by what path is:
//   - a folder of images (OpenFolder);
//   - the folder of CIFAR's binary version, which stands for its training images,
//     or one of its files, whose names end in .bin (OpenCIFAR);
//   - an IDX images file, plain or gzipped, whose labels are those of the file
//     beside it: for t10k-images-idx3-ubyte that is t10k-labels-idx1-ubyte, with
//     or without .gz; without such a file it is unlabelled (OpenIDX);
//   - a list of images under root, the list's own folder if empty (OpenImglist).
//
// As in Python, a suffix of [FROM:TO] picks a run of the images, counted from 0,
// TO not included.
func Open(path, root string) (Dataset, error) { return OpenFor(nil, path, root) }

// OpenFor is Open for a model with the given classes: a list may have their names in
// place of their numbers.
func OpenFor(classes []string, path, root string) (Dataset, error) {
	match := rangeSuffix.FindStringSubmatch(path)
	if match == nil {
		return open(path, root, classes)
	}
	whole := WithoutRange(path)
	d, err := open(whole, root, classes)
	if err != nil {
		return nil, err
	}
	from, err := bound(match[2], 0)
	if err != nil {
		return nil, err
	}
	to, err := bound(match[3], d.Len())
	if err != nil {
		return nil, err
	}
	if from >= to || to > d.Len() {
		return nil, ascood.Errorf(ascood.Invalid, "%s: there is no such run of images, %s has %d", path, whole, d.Len())
	}
	indices := make([]int, to-from)
	for i := range indices {
		indices[i] = from + i
	}
	return Subset(d, indices), nil
}

// WithoutRange returns a path as Open takes it less the suffix that picks a run of
// the images.
func WithoutRange(path string) string {
	if match := rangeSuffix.FindStringSubmatch(path); match != nil {
		return match[1]
	}
	return path
}

// rangeSuffix matches the suffix that picks a run of a dataset.
var rangeSuffix = regexp.MustCompile(`^(.+)\[(\d*):(\d*)\]$`)

// bound reads one end of a run; an empty one is otherwise.
func bound(digits string, otherwise int) (int, error) {
	if digits == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	return n, nil
}

// open opens a whole dataset.
func open(path, root string, classes []string) (Dataset, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	if info.IsDir() {
		if training := cifarTraining(path); training != nil {
			return OpenCIFAR(training...)
		}
		return OpenFolder(path)
	}
	if strings.HasSuffix(path, ".bin") {
		return OpenCIFAR(path)
	}
	head, err := peek(path)
	switch {
	case err != nil:
		return nil, err
	case bytes.HasPrefix(head, []byte{0, 0, idxType}):
		return OpenIDX(path, labelsBeside(path))
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return nil, ascood.Errorf(ascood.Invalid, "%s: a text in UTF-16: save it as UTF-8", path)
	case bytes.IndexByte(head, 0) >= 0:
		return nil, ascood.Errorf(ascood.Invalid, "%s: neither a folder, an IDX file, CIFAR's .bin file nor a list of images", path)
	}
	if root == "" {
		root = filepath.Dir(path)
	}
	return openImglist(path, root, classes)
}

// peek returns the first bytes of a file, decompressed if it is gzipped.
func peek(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	defer f.Close()
	r, err := gunzip(f)
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	}
	head, err := io.ReadAll(io.LimitReader(r, 512))
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%s: %w", path, err)
	}
	return head, nil
}

// labelsBeside returns the labels file that belongs to an IDX images file, ""
// if there is none.
func labelsBeside(images string) string {
	dir, base := filepath.Split(strings.TrimSuffix(images, ".gz"))
	name := strings.Replace(base, "images-idx3", "labels-idx1", 1)
	if name == base {
		return ""
	}
	for _, candidate := range []string{name, name + ".gz"} {
		if _, err := os.Stat(filepath.Join(dir, candidate)); err == nil {
			return filepath.Join(dir, candidate)
		}
	}
	return ""
}
