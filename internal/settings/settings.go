// Package settings reads and sets the hyperparameters of methods: the exported fields of
// a value, under their JSON names.
package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ascood/ascood"
)

// Of returns hyperparameters as a JSON object.
func Of(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// Names lists the names of hyperparameters, sorted.
func Names(v any) []string {
	var known map[string]json.RawMessage
	text, err := json.Marshal(v)
	if err != nil || json.Unmarshal(text, &known) != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(known))
}

// Set sets hyperparameters from a JSON object. One that there is not is an error, as is
// a value that it cannot have.
func Set(v any, object string) error {
	have, err := Of(v)
	if err != nil {
		return err
	}
	// encoding/json takes names in any case; they are to be written as they are.
	var given map[string]json.RawMessage
	err = json.Unmarshal([]byte(object), &given)
	known := Names(v)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			err = fmt.Errorf("there is no %s", name)
		}
	}
	if err == nil {
		err = json.Unmarshal([]byte(object), v)
	}
	if err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("%s cannot be a %s", wrong.Field, wrong.Value)
		}
		return ascood.Errorf(ascood.Invalid, "settings %s: %w; there are %s", object, err, have)
	}
	return nil
}
