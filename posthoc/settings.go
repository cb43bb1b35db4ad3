package posthoc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
)

// Settings returns a method's hyperparameters as a JSON object.
func Settings(m Method) (string, error) {
	text, err := json.Marshal(m)
	return string(text), err
}

// Describe is a method's hyperparameters for a person to read, such as
// "temperature 1000, noise 0.0014".
func Describe(settings string) string {
	return strings.NewReplacer(`{`, ``, `}`, ``, `"`, ``, `:`, ` `, `,`, `, `).Replace(settings)
}

// Configure sets hyperparameters from a JSON object. One that the method does
// not have is an error, as is a value that it cannot have.
func Configure(m Method, settings string) error {
	have, err := Settings(m)
	if err != nil {
		return err
	}
	// encoding/json takes names in any case; they are to be written as they are.
	var known, given map[string]json.RawMessage
	if err = json.Unmarshal([]byte(have), &known); err == nil {
		err = json.Unmarshal([]byte(settings), &given)
	}
	for name := range given {
		if _, ok := known[name]; !ok {
			err = fmt.Errorf("there is no %s", name)
		}
	}
	if err == nil {
		err = json.Unmarshal([]byte(settings), m)
	}
	if err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			err = fmt.Errorf("%s cannot be a %s", wrong.Field, wrong.Value)
		}
		return ascood.Errorf(ascood.Invalid, "settings %s: %w; there are %s", settings, err, have)
	}
	return nil
}

// Assignments reads hyperparameters in the form method.name=value, such as knn.k=50, and
// returns those of each method as a JSON object.
func Assignments(list []string) (map[string]string, error) {
	all := map[string]map[string]json.RawMessage{}
	for _, s := range list {
		key, value, ok := strings.Cut(s, "=")
		method, name, dotted := strings.Cut(key, ".")
		if !ok || !dotted {
			return nil, ascood.Errorf(ascood.Invalid, "%s: want method.name=value, such as knn.k=50", s)
		}
		// All settings are numbers, or true or false, in JSON's form.
		if _, err := strconv.ParseFloat(value, 64); value != "true" && value != "false" && (err != nil || !json.Valid([]byte(value))) {
			return nil, ascood.Errorf(ascood.Invalid, "%s: %q is not a number, nor true or false", key, value)
		}
		if all[method] == nil {
			all[method] = map[string]json.RawMessage{}
		}
		if all[method][name] != nil {
			return nil, ascood.Errorf(ascood.Invalid, "gives %s.%s twice", method, name)
		}
		all[method][name] = json.RawMessage(value)
	}
	objects := map[string]string{}
	for method, settings := range all {
		text, err := json.Marshal(settings)
		if err != nil {
			return nil, err
		}
		objects[method] = string(text)
	}
	return objects, nil
}
