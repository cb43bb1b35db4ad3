package main

import (
	"io"
	"testing"

	"github.com/ascood/ascood/internal/cli/clitest"
)

func TestFieldsHaveFlags(t *testing.T) {
	clitest.CheckFields(t, newFlags(io.Discard).fs, flagNames)
}
