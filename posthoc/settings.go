package posthoc

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/settings"
)

// Settings returns a method's hyperparameters as a JSON object.
func Settings(m Method) (string, error) { return settings.Of(m) }

// Describe is a method's hyperparameters for a person to read, such as
// "temperature 1000, noise 0.0014".
func Describe(object string) string {
	return strings.NewReplacer(`{`, ``, `}`, ``, `"`, ``, `:`, ` `, `,`, `, `).Replace(object)
}

// Configure sets hyperparameters from a JSON object. One that the method does
// not have is an error, as is a value that it cannot have.
func Configure(m Method, object string) error { return settings.Set(m, object) }

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
	for method, set := range all {
		text, err := json.Marshal(set)
		if err != nil {
			return nil, err
		}
		objects[method] = string(text)
	}
	return objects, nil
}
