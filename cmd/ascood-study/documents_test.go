package main

import (
	"testing"

	"github.com/ascood/ascood/internal/cli/clitest"
)

func TestDocumentedFlags(t *testing.T) { clitest.CheckDocuments(t, execute) }
