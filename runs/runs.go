// Package runs knows how the files of training runs lie in folders: what a run
// consists of, where those of several seeds are, and by which file one is evaluated.
package runs

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
)

// The files of a run, in its folder.
const (
	ConfigFile   = "config.json"      // the configuration in effect, width and all
	BestFile     = "best.safetensors" // after the epoch with the best validation accuracy; the later one of equals
	LastFile     = "last.safetensors" // after the last epoch, or where the run was interrupted
	MetricsFile  = "metrics.csv"      // a row an epoch
	ArtifactFile = "model.onnx"       // what the run was exported as, if it has been
	openOODFile  = "best.ckpt"        // OpenOOD's checkpoint
)

// models are the files that a run is evaluated by, the first that its folder has.
var models = []string{ArtifactFile, BestFile, openOODFile}

// Holds returns a file of a run that a folder holds, "" if it holds none.
func Holds(dir string) string {
	for _, name := range []string{LastFile, BestFile, MetricsFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return name
		}
	}
	return ""
}

// Create makes the folder of a run, and finds out whether files can be written
// there.
func Create(dir string) error {
	if dir == "" {
		return ascood.Errorf(ascood.Invalid, "missing: the folder for %s, %s and %s", BestFile, LastFile, MetricsFile)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	return CheckWritable(dir)
}

// CheckWritable finds out whether files can be written to a folder.
func CheckWritable(dir string) error {
	f, err := os.CreateTemp(dir, ".ascood-*")
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "no files can be written there: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Seed returns the folder of a seed's run, below that of all seeds.
func Seed(dir string, seed uint64) string {
	return filepath.Join(dir, "s"+strconv.FormatUint(seed, 10))
}

// seedFolder matches the folders that are runs in any case. Others that begin
// with s are if they hold a model.
var seedFolder = regexp.MustCompile(`^s\d+$`)

// Find returns the file by which each run s* below a folder is evaluated, in the
// order of the runs' names.
func Find(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, ascood.Errorf(ascood.Invalid, "%w", err)
	}
	var found []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "s") {
			continue
		}
		folder := filepath.Join(dir, entry.Name())
		path := model(folder)
		switch {
		case path != "":
			found = append(found, path)
		case seedFolder.MatchString(entry.Name()):
			return nil, ascood.Errorf(ascood.Invalid, "%s has none of %s", folder, strings.Join(models, ", "))
		}
	}
	if model(dir) != "" {
		return nil, ascood.Errorf(ascood.Invalid, "%s is a run itself: name the folder that it is in", dir)
	}
	if len(found) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s holds no runs s0, s1, …, each a folder with one of %s", dir, strings.Join(models, ", "))
	}
	return found, nil
}

// model returns the file that a run is evaluated by, "" if there is none.
func model(folder string) string {
	for _, name := range models {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// Name returns the name of the run that a file belongs to.
func Name(path string) string { return filepath.Base(filepath.Dir(path)) }

// IsArtifact reports whether the file of a run is an exported model.
func IsArtifact(path string) bool { return filepath.Base(path) == ArtifactFile }

// Newer returns another file that the run could be evaluated by and that is newer
// than the one at path, "" if there is none.
func Newer(path string) string {
	evaluated, err := os.Stat(path)
	if err != nil {
		return ""
	}
	for _, name := range models {
		other := filepath.Join(filepath.Dir(path), name)
		if info, err := os.Stat(other); err == nil && info.ModTime().After(evaluated.ModTime()) {
			return other
		}
	}
	return ""
}
