package study

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// decode reads JSON into a struct and returns what is wrong with it: keys that there are
// not, with the known ones, and values of another kind.
func decode(content []byte, to any) []string {
	var raw any
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil {
		return []string{located(content, err)}
	}
	if d.More() {
		return []string{"there is something after the plan's end"}
	}
	if faults := unknown("", raw, reflect.TypeOf(to)); len(faults) > 0 {
		return faults
	}
	d = json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return []string{located(content, err)}
	}
	return nil
}

// located says in which line an error of encoding/json is.
func located(content []byte, err error) string {
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("line %d: %v", line(content, wrong.Offset), err)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("line %d: %s cannot be a JSON %s", line(content, wrong.Offset), wrong.Field, wrong.Value)
	}
	return err.Error()
}

func line(content []byte, offset int64) int {
	return 1 + bytes.Count(content[:min(int(offset), len(content))], []byte("\n"))
}

// unknown names the keys of JSON objects that the structs which they are for do not have.
func unknown(where string, raw any, t reflect.Type) (faults []string) {
	if t.Kind() == reflect.Pointer {
		return unknown(where, raw, t.Elem())
	}
	switch v := raw.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return nil // encoding/json says so
		}
		for i, element := range v {
			faults = append(faults, unknown(fmt.Sprintf("%s[%d]", where, i), element, t.Elem())...)
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil
		}
		fields := fieldsOf(t)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			field, ok := fields[key]
			if !ok {
				faults = append(faults, strings.TrimPrefix(where+": ", ": ")+notAmong("key", key, slices.Sorted(maps.Keys(fields))))
				continue
			}
			faults = append(faults, unknown(strings.TrimPrefix(where+"."+key, "."), v[key], field)...)
		}
	}
	return faults
}

// fieldsOf are the types of a struct's fields by their JSON names.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}

// notAmong says that a name is none of the known ones, and which is like it.
func notAmong(what, name string, known []string) string {
	like := ""
	for _, k := range known {
		if d := distance(name, k); d <= 1+len(name)/4 && (like == "" || d < distance(name, like)) {
			like = k
		}
	}
	if like != "" {
		like = fmt.Sprintf(" (%s?)", like)
	}
	return fmt.Sprintf("unknown %s %q%s; known are %s", what, name, like, strings.Join(known, ", "))
}

// distance is how many letters have to be added, left out or changed to come from one word
// to another (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
