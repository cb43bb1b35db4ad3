package models

import (
	"strings"
	"testing"
)

func TestOddSize(t *testing.T) {
	for _, arch := range Archs() {
		if registry[arch].size == 0 || OddSize(arch, registry[arch].size) != "" {
			t.Errorf("%s is made for images of %d pixels", arch, registry[arch].size)
		}
	}
	for size, want := range map[int]string{32: "at 32 little is left", 74: "at 74 little", 75: "", 448: "", 672: "at 672 each"} {
		if got := OddSize("resnet50", size); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("resnet50 at %d pixels: %q, want %q", size, got, want)
		}
	}
}
