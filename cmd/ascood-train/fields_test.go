package main

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/cli/clitest"
	"github.com/ascood/ascood/train"
)

func TestFieldsHaveFlags(t *testing.T) {
	fs := newFlags(train.Default(train.OODGradient), io.Discard).FlagSet
	clitest.CheckFields(t, fs, flagNames)
	// Config's own errors take the names of its fields from its tags.
	for _, field := range reflect.VisibleFields(reflect.TypeFor[train.Config]()) {
		if field.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if flagNames.Flag(fs, ascood.Field(name)) == "" {
			t.Errorf("the field %s of the configuration has no flag", name)
		}
	}
}
