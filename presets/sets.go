package presets

import (
	"path"
	"path/filepath"
	"slices"

	"github.com/ascood/ascood/dataset"
)

// Role says what an image list is for.
type Role string

// Roles of image lists. Those of ID images have labels below Preset.Classes.
const (
	Train    Role = "train"     // ID, to train on
	Val      Role = "val"       // ID, to choose with
	Test     Role = "test"      // ID, to report
	CSID     Role = "csid"      // ID whose appearance differs, to report
	OODVal   Role = "ood_val"   // OOD, to choose with
	Near     Role = "near"      // OOD close to ID, to report
	Far      Role = "far"       // OOD far from ID, to report
	FarExtra Role = "far_extra" // further far OOD, for a far average of their own
	Outliers Role = "outliers"  // images of other things, for the methods that learn from such
)

// Roles lists all of them.
func Roles() []Role { return []Role{Train, Val, Test, CSID, OODVal, Near, Far, FarExtra, Outliers} }

// inDistribution reports whether the images' labels are classes.
func (r Role) inDistribution() bool { return r == Train || r == Val || r == Test || r == CSID }

// listFolder is where a data root has its image lists.
const listFolder = "benchmark_imglist"

// Set is an image list under a data root in OpenOOD's layout.
type Set struct {
	Role   Role   `json:"role"`
	Name   string `json:"name"`   // of the set, where the role has several
	Images string `json:"images"` // folder that the list's paths start from, relative to the root
	List   string `json:"list"`   // relative to the root's benchmark_imglist

	// Preprocess is "as_is" for images that are taken as they are, neither resized nor
	// cropped; "" for those that see the network's preprocessing.
	Preprocess string `json:"preprocess"`
}

// AsIs is the Preprocess of sets whose images are crops already.
const AsIs = "as_is"

// String is the role with the name, such as "near tin".
func (s Set) String() string {
	if s.Name == "" {
		return string(s.Role)
	}
	return string(s.Role) + " " + s.Name
}

// Under returns the list and the folder that its paths start from.
func (s Set) Under(root string) (list, images string) {
	return filepath.Join(root, filepath.FromSlash(s.path())), filepath.Join(root, filepath.FromSlash(s.Images))
}

// path is the list relative to the root.
func (s Set) path() string { return path.Join(listFolder, s.List) }

// Open opens the images.
func (s Set) Open(root string) (dataset.Dataset, error) {
	d, err := dataset.OpenImglist(s.Under(root))
	if err == nil && s.Preprocess == AsIs {
		d = dataset.AsIs(d)
	}
	return d, err
}

// Select returns the sets of the given roles in the preset's order.
func (p *Preset) Select(roles ...Role) []Set {
	return slices.DeleteFunc(slices.Clone(p.Sets), func(s Set) bool { return !slices.Contains(roles, s.Role) })
}
