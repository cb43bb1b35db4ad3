package main

import (
	"io"
	"testing"

	"github.com/ascood/ascood/internal/cli/clitest"
)

func TestFieldsHaveFlags(t *testing.T) {
	// Settings are searched by ascood-eval.
	clitest.CheckFields(t, newFlags(io.Discard).fs, flagNames, "aps", "ood_val")
}
