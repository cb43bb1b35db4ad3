package checkpoint

import (
	"strconv"

	"github.com/ascood/ascood/internal/pickle"
)

// classKeys are where training scripts put the names of the classes, with what reads
// them: a list, a dict from name to label, or one from label to name.
var classKeys = map[string]func(any) []string{
	"classes":      listOfNames,
	"CLASSES":      listOfNames,
	"class_names":  listOfNames,
	"classnames":   listOfNames,
	"categories":   listOfNames,
	"class_to_idx": namesByLabel,
	"class2idx":    namesByLabel,
	"label2id":     namesByLabel,
	"idx_to_class": labelsToNames,
	"idx2class":    labelsToNames,
	"id2label":     labelsToNames,
}

// lookForClasses takes the first names that it comes by.
func (f *finder) lookForClasses(key string, entries []pickle.Entry) {
	for _, entry := range entries {
		name, _ := entry.Key.(string)
		read, ok := classKeys[name]
		if !ok || f.classes.Names != nil {
			continue
		}
		if names := read(entry.Value); complete(names) {
			f.classes = ClassList{names, join(key, name)}
		}
	}
}

// complete reports whether these are names of two classes or more, all different.
func complete(names []string) bool {
	seen := map[string]bool{}
	for _, name := range names {
		if name == "" || seen[name] {
			return false
		}
		seen[name] = true
	}
	return len(names) > 1
}

func listOfNames(value any) []string {
	list, ok := value.(*pickle.List)
	if !ok {
		return labelsToNames(value)
	}
	if list.Kind == "set" || list.Kind == "frozenset" { // has no order
		return nil
	}
	var names []string
	for _, item := range list.Items {
		name, ok := item.(string)
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	return names
}

func namesByLabel(value any) []string {
	return byLabel(value, func(e pickle.Entry) (label, name any) { return e.Value, e.Key })
}

func labelsToNames(value any) []string {
	return byLabel(value, func(e pickle.Entry) (label, name any) { return e.Key, e.Value })
}

// byLabel puts the names of a dict in the order of their labels, which must be all
// from 0 on.
func byLabel(value any, pair func(pickle.Entry) (label, name any)) []string {
	entries, _ := pickle.Entries(value)
	names := make([]string, len(entries))
	for _, entry := range entries {
		label, name := pair(entry)
		i, ok := label.(int)
		if digits, isText := label.(string); isText {
			var err error
			i, err = strconv.Atoi(digits)
			ok = err == nil
		}
		text, isText := name.(string)
		if !ok || !isText || i < 0 || i >= len(names) {
			return nil
		}
		names[i] = text
	}
	return names
}
