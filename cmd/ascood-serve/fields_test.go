package main

import (
	"io"
	"testing"

	"github.com/ascood/ascood/internal/cli/clitest"
)

func TestFieldsHaveFlags(t *testing.T) {
	// Those of preprocessing are the artifact's own.
	clitest.CheckFields(t, newFlags(io.Discard).fs, flagNames, "preprocess", "pre_size", "image_size", "mean", "std")
}
