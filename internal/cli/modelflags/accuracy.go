package modelflags

import (
	"fmt"
	"io"
	"strings"

	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/metrics"
)

// Accuracy counts the labelled images that a network classifies as they are labelled.
type Accuracy struct{ Correct, Labelled int }

// Add counts an image.
func (a *Accuracy) Add(label, prediction int) {
	if label == dataset.Unlabelled {
		return
	}
	a.Labelled++
	if label == prediction {
		a.Correct++
	}
}

// Tell says what the accuracy is, if images were labelled, and warns if it is as that
// of guesses.
func (a Accuracy) Tell(w io.Writer, classes int) {
	if a.Labelled > 0 {
		fmt.Fprintf(w, "accuracy %.2f%% on %d labelled images\n", a.percent(), a.Labelled)
	}
	a.Warn(w, classes)
}

// Warn warns if the accuracy is as that of guesses, and says what the cause may be.
func (a Accuracy) Warn(w io.Writer, classes int) {
	if metrics.AtChance(a.Correct, a.Labelled, classes) {
		fmt.Fprintf(w, "Warning: an accuracy of %.2f%% on labelled images of %d classes is hardly more than guessing: are sizes, resizing, mean, std "+
			"and the order of the classes those of the training? ascood-export --check compares them with others.\n", a.percent(), classes)
	}
}

func (a Accuracy) percent() float64 { return 100 * float64(a.Correct) / float64(a.Labelled) }

// WarnSkipped names the images of a set that are left out, if there are any.
func WarnSkipped(w io.Writer, set string, images int, broken []error) {
	if len(broken) > 0 {
		fmt.Fprintf(w, "Warning: %d of %d images of %s cannot be loaded and are left out:\n%v\n", len(broken), images, set, dataset.Named(broken))
	}
}

// NoteNumberedFolders says which order of classes is assumed where the folders' numbers
// have another one than their names.
func NoteNumberedFolders(w io.Writer, d dataset.Dataset) {
	folders := dataset.NumberedFolders(d)
	if folders == nil {
		return
	}
	fmt.Fprintf(w, "Note: the folders are taken for the classes that they are the numbers of. torchvision's ImageFolder numbers them in the order of their "+
		"names, %s, …: a network trained on it is to be exported with --classes, a file with a name a line in that order.\n", strings.Join(folders[:min(4, len(folders))], ", "))
}
