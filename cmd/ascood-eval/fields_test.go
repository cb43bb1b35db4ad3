package main

import (
	"io"
	"testing"

	"github.com/ascood/ascood/internal/cli/clitest"
)

func TestFieldsHaveFlags(t *testing.T) {
	// A run's checkpoint or the preset says these.
	clitest.CheckFields(t, newFlags(io.Discard).fs, flagNames, "arch", "classes", "preprocess", "pre_size", "image_size", "mean", "std", "outputs")
}
