// Package pickle reads what Python's pickle wrote, protocols 0 to 5, without running
// any of it. A pickle can name any function to call; here a call is a value like any
// other, an Object, unless the reader of the pickle knows what it would return.
package pickle

import "fmt"

// A value is nil, bool, int, float64, string, []byte, or one of the types below, or
// what Options made of a call or a reference.
type (
	// List is a sequence.
	List struct {
		Kind  string // "list", "tuple", "set", "frozenset"
		Items []any
	}
	// Dict is a dict; of equal keys the last one counts.
	Dict struct{ Entries []Entry }
	// Entry is a key of a dict with its value.
	Entry struct{ Key, Value any }
	// Class is a class or function that the pickle names, such as "argparse.Namespace".
	Class string
	// Object is what a call would have returned: an instance of a class, or the result
	// of a function. An integer of more than 64 bits is one of class "int".
	Object struct {
		Class   string
		Args    []any
		State   any     // its attributes, mostly a Dict
		Items   []any   // appended, or added to a set
		Entries []Entry // set by key: of the subclasses of dict
	}
)

// Describe names the Python type of a value: "a list", "a dict".
func Describe(value any) string {
	switch value := value.(type) {
	case nil:
		return "None"
	case bool:
		return fmt.Sprintf("a bool (%v)", value)
	case int, float64:
		return fmt.Sprintf("a number (%v)", value)
	case string:
		return "a string"
	case []byte:
		return "bytes"
	case *List:
		return "a " + value.Kind
	case *Dict:
		return "a dict"
	case Class:
		return "the class " + string(value)
	case *Object:
		return "an object of class " + value.Class
	}
	return "a value"
}

// Entries returns the keys and values of a dict or of an object of a class derived
// from it, false for any other value. Python 2 wrote an OrderedDict as a call with a
// list of pairs.
func Entries(value any) ([]Entry, bool) {
	switch value := value.(type) {
	case *Dict:
		return value.Entries, true
	case *Object:
		if len(value.Entries) > 0 {
			return value.Entries, true
		}
		if value.Class == orderedDict {
			return pairs(value.Args)
		}
	}
	return nil, false
}

const orderedDict = "collections.OrderedDict"

// pairs returns the entries that the arguments of an OrderedDict list.
func pairs(args []any) ([]Entry, bool) {
	if len(args) == 0 {
		return nil, true
	}
	list, ok := args[0].(*List)
	if !ok {
		return nil, false
	}
	entries := make([]Entry, 0, len(list.Items))
	for _, item := range list.Items {
		pair, ok := item.(*List)
		if !ok || len(pair.Items) != 2 {
			return nil, false
		}
		entries = append(entries, Entry{pair.Items[0], pair.Items[1]})
	}
	return entries, true
}

// Get returns the value of a key in a dict, nil if it has none or is no dict.
func Get(dict any, key string) (found any) {
	entries, _ := Entries(dict)
	for _, entry := range entries {
		if entry.Key == key {
			found = entry.Value
		}
	}
	return found
}
