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
	var lists map[string][]string
	readJSON(t, "parameters.json", &lists)
	for arch, file := range map[string]string{"resnet18_224x224": "resnet18.txt", "resnet50": "resnet50.txt"} {
		text, err := os.ReadFile(filepath.Join("..", "testdata", "torchvision", file))
		if err != nil {
			t.Fatal(err)
		}
		lists[arch] = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	for arch, values := range map[string]int{ // trainable ones, as torchvision documents
		"resnet18_224x224": 11_689_512,
		"resnet34":         21_797_672,
		"resnet50":         25_557_032,
		"resnet101":        44_549_160,
		"resnet152":        60_192_808,
		"wide_resnet50_2":  68_883_240,
		"resnext50_32x4d":  25_028_904,
		"mobilenet_v2":     3_504_872,
		"efficientnet_b0":  5_288_548,
		"densenet121":      7_978_856,
		"vit_b_16":         86_567_656,
		"swin_t":           28_288_354,
	} {
		n, err := models.New(models.Spec{Arch: arch, Classes: 1000, Head: models.HeadLinear}, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, want := listing(n), lists[arch]
		if len(got) != len(want) {
			t.Errorf("%s has %d parameters, want %d", arch, len(got), len(want))
		}
		for i, line := range got {
			if i < len(want) && line != want[i] {
				t.Errorf("%s: parameter %d is %q, want %q", arch, i, line, want[i])
				break
			}
		}
		for _, p := range n.Params {
			if p.Trainable {
				values -= p.Elements()
			}
		}
		if values != 0 {
			t.Errorf("%s has %d trainable values too few", arch, values)
		}
	}
}

// listing is a line for each parameter: its name and its shape.
func listing(n *models.Network) []string {
	var lines []string
	for _, p := range n.Params {
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Shape), " ", "x"), "[]")
		if shape == "" {
			shape = "scalar"
		}
		lines = append(lines, p.Name+" "+shape)
	}
	return lines
}
