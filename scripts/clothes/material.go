package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/ascood/ascood/dataset"
)

// material is what the images are made of.
type material struct {
	clothes     [parts]dataset.Dataset
	digits      dataset.Dataset
	backgrounds [2][]photo // of two kinds
	others      []photo    // of neither kind
}

// A part is what images are for. No image, and no piece of a background, is in two.
type part int

const (
	training part = iota
	validation
	test
	parts
)

// places says where the material lies.
type places struct {
	clothes  string // folder of Fashion-MNIST's files
	training int    // so many of the training file are for training; the others are for validation
	digits   string // folder of MNIST's test files
	photos   string // folder of the photographs
}

var packaged = places{
	clothes:  "/usr/share/datasets/fashion-mnist",
	training: 50000,
	digits:   "data/mnist",
	photos:   "/usr/share/backgrounds/mate/nature",
}

// The photographs by what they show. A kind of background is to be seen from the left
// edge to the right one.
var (
	leaves = []string{"Blinds.jpg", "GreenMeadow.jpg", "RainDrops.jpg"}
	grays  = []string{"Aqua.jpg", "Storm.jpg", "Wood.jpg"} // water, clouds, planks
	others = []string{"Dune.jpg", "FreshFlower.jpg", "Garden.jpg", "LadyBird.jpg", "TwoWings.jpg", "YellowFlower.jpg"}
)

func open(ctx context.Context, p places) (*material, error) {
	m := &material{}
	for path, at := range map[string]*dataset.Dataset{
		fmt.Sprintf("%s/train-images-idx3-ubyte.gz[:%d]", p.clothes, p.training): &m.clothes[training],
		fmt.Sprintf("%s/train-images-idx3-ubyte.gz[%d:]", p.clothes, p.training): &m.clothes[validation],
		filepath.Join(p.clothes, "t10k-images-idx3-ubyte.gz"):                    &m.clothes[test],
		filepath.Join(p.digits, "t10k-images-idx3-ubyte"):                        &m.digits,
	} {
		var err error
		if *at, err = dataset.Open(path, ""); err != nil {
			return nil, err
		}
	}
	for _, kind := range []struct {
		names []string
		at    *[]photo
	}{{leaves, &m.backgrounds[0]}, {grays, &m.backgrounds[1]}, {others, &m.others}} {
		for _, name := range kind.names {
			photo, err := openPhoto(ctx, filepath.Join(p.photos, name))
			if err != nil {
				return nil, fmt.Errorf("a photograph of Debian's package mate-backgrounds: %w", err)
			}
			*kind.at = append(*kind.at, photo)
		}
	}
	return m, nil
}
