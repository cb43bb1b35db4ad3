package models_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ascood/ascood/models"
)

// TestTorchvisionNames compares parameters, their order and their number with
// the networks that torchvision distributes.
func TestTorchvisionNames(t *testing.T) {
	for _, test := range []struct {
		arch, file string
		values     int // trainable ones, as torchvision documents
	}{
		{"resnet18_224x224", "resnet18.txt", 11_689_512},
		{"resnet50", "resnet50.txt", 25_557_032},
	} {
		g, err := models.New(models.Spec{Arch: test.arch, Classes: 1000, Head: models.HeadLinear}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var list strings.Builder
		values := 0
		for _, p := range g.Params {
			shape, n := "scalar", 1
			for i, d := range p.Shape {
				n *= d
				if i == 0 {
					shape = fmt.Sprint(d)
				} else {
					shape += fmt.Sprintf("x%d", d)
				}
			}
			fmt.Fprintln(&list, p.Name, shape)
			if p.Trainable {
				values += n
			}
		}
		want, err := os.ReadFile(filepath.Join("..", "testdata", "torchvision", test.file))
		if err != nil {
			t.Fatal(err)
		}
		got, expected := strings.Split(list.String(), "\n"), strings.Split(string(want), "\n")
		if len(got) != len(expected) {
			t.Errorf("%s has %d parameters, want %d", test.arch, len(got)-1, len(expected)-1)
		}
		for i, line := range got {
			if i < len(expected) && line != expected[i] {
				t.Fatalf("%s: parameter %d is %q, want %q", test.arch, i, line, expected[i])
			}
		}
		if values != test.values {
			t.Errorf("%s has %d trainable values, want %d", test.arch, values, test.values)
		}
	}
}
