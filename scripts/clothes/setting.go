package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/dataset"
	"github.com/ascood/ascood/internal/atomicfile"
)

// setting is what a network has to learn, and what it has to tell from that.
type setting struct {
	name          string
	classes       []int        // of clothes, in the order of their labels
	digits        bool         // the OOD images are digits, not clothes
	others        [parts][]int // classes of the OOD images for validation and test
	onBackgrounds bool         // objects are pasted onto pieces of photographs
}

// The classes of Fashion-MNIST.
const (
	tShirt = iota
	trouser
	pullover
	dress
	coat
	sandal
	shirt
	sneaker
	bag
	boot
)

// settings are three, as the paper has them.
var settings = []setting{
	{
		name:    "conventional",
		classes: []int{tShirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, boot},
		digits:  true,
		others:  [parts][]int{validation: {0, 1, 2, 3, 4}, test: {5, 6, 7, 8, 9}},
	},
	// Shirts are what T-shirts, pullovers and dresses are taken for most often, boots are like
	// sneakers and sandals; coats, for validation, are like pullovers.
	{
		name:    "fine-grained",
		classes: []int{tShirt, trouser, pullover, dress, sandal, sneaker, bag},
		others:  [parts][]int{validation: {coat}, test: {shirt, boot}},
	},
	// As Waterbirds are made: the background agrees with the class in 9 of 10 training
	// images, and says nothing in the others.
	{
		name:          "spurious",
		classes:       []int{tShirt, pullover},
		others:        [parts][]int{validation: {dress, sandal}, test: {trouser, sneaker, bag, boot}},
		onBackgrounds: true,
	},
}

// amounts says how many ID images each part has. There are as many OOD images of it.
type amounts [parts]int

var all = amounts{training: 5000, validation: 500, test: 2000}

// oneIn says in which share of a class's images the background is that of the other kind.
var oneIn = [parts]int{training: 10, validation: 2, test: 2}

// write writes the files of the setting into a folder of its name below dir.
func (s setting) write(m *material, n amounts, dir string) error {
	dir = filepath.Join(dir, s.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ascood.Errorf(ascood.Invalid, "%w", err)
	}
	rng := rand.New(rand.NewPCG(0, 0))
	for _, c := range s.choices(m) {
		records, err := s.objects(m, c, n[c.part], rng)
		if err != nil {
			return err
		}
		if err := atomicfile.WriteFile(filepath.Join(dir, c.file), records); err != nil {
			return err
		}
	}
	return atomicfile.WriteFile(filepath.Join(dir, "outliers.bin"), s.outliers(m, n[training], rng))
}

// choice is what a file has of what there is.
type choice struct {
	file    string
	part    part
	from    dataset.Dataset
	classes []int
}

func (s setting) choices(m *material) []choice {
	strange := m.clothes
	if s.digits {
		strange = [parts]dataset.Dataset{validation: m.digits, test: m.digits}
	}
	return []choice{
		{"train.bin", training, m.clothes[training], s.classes},
		{"id_val.bin", validation, m.clothes[validation], s.classes},
		{"id_test.bin", test, m.clothes[test], s.classes},
		{"ood_val.bin", validation, strange[validation], s.others[validation]},
		{"ood_test.bin", test, strange[test], s.others[test]},
	}
}

// objects returns records of the first n images of the chosen classes, labelled with the
// class's place among them.
func (s setting) objects(m *material, c choice, n int, rng *rand.Rand) ([]byte, error) {
	var records []byte
	seen := make([]int, len(c.classes))
	for i := 0; i < c.from.Len() && n > 0; i++ {
		label := slices.Index(c.classes, c.from.Label(i))
		if label < 0 {
			continue
		}
		background := black()
		if s.onBackgrounds {
			kind := label % len(m.backgrounds)
			if seen[label]%oneIn[c.part] == oneIn[c.part]-1 {
				kind = 1 - kind
			}
			background = pieceOf(m.backgrounds[kind], stripes[c.part], rng)
		}
		object, err := paste(c.from, i, background)
		if err != nil {
			return nil, err
		}
		records = append(records, object.record(label)...)
		seen[label]++
		n--
	}
	if n > 0 {
		return nil, ascood.Errorf(ascood.Invalid, "%s: of the classes %v of %s and those after it %d images are missing", c.file, c.classes, c.from.Name(0), n)
	}
	return records, nil
}

// outliers returns records of n pieces of the photographs that are no background, for
// methods that learn from images of other things.
func (s setting) outliers(m *material, n int, rng *rand.Rand) []byte {
	var records []byte
	for range n {
		piece := pieceOf(m.others, whole, rng)
		if !s.onBackgrounds {
			piece.toGray()
		}
		records = append(records, piece.record(0)...)
	}
	return records
}
