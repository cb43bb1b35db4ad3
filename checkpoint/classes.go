package checkpoint

import (
	"slices"
	"strconv"

	"github.com/ascood/ascood/internal/pickle"
)

// classKeys are where training scripts put the names of the classes: a list, an array
// of NumPy, a dict from name to label, or one from label to name. The likelier are
// first.
var classKeys = []string{
	"classes", "CLASSES", "classes_", "class_names", "classnames", "class_list", "class_map", "class_dict", "categories",
	"label_names", "label_map", "class_to_idx", "class2idx", "cls2idx", "label_to_idx", "label2idx", "label2id",
	"name_to_idx", "idx_to_class", "idx2class", "idx_to_label", "idx2label", "id2label", "idx_to_name", "index_to_name",
	"labels",
}

// lookForClasses takes the first names that it comes by, of several in one place those
// under the likelier key.
func (f *finder) lookForClasses(key string, entries []pickle.Entry) {
	if f.classes.Names != nil {
		return
	}
	best := len(classKeys)
	for _, entry := range entries {
		name, _ := entry.Key.(string)
		at := slices.Index(classKeys, name)
		if at < 0 || at >= best {
			continue
		}
		if names := namesIn(entry.Value); complete(names) {
			f.classes, best = ClassList{names, join(key, name)}, at
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

// namesIn returns the names of classes by label, nil if the value does not hold such.
func namesIn(value any) []string {
	if names := texts(value); names != nil {
		return names
	}
	list, ok := value.(*pickle.List)
	if !ok {
		return byLabel(value)
	}
	if list.Kind == "set" || list.Kind == "frozenset" { // has no order
		return nil
	}
	return allTexts(list.Items)
}

// byLabel puts the names of a dict in the order of their labels, which must be all
// from 0 on. Labels are numbers; as keys they may be digits.
func byLabel(value any) []string {
	entries, _ := pickle.Entries(value)
	names := make([]string, len(entries))
	for _, entry := range entries {
		name, isName := entry.Key.(string)
		label, isLabel := entry.Value.(int)
		if !isLabel {
			name, isName = entry.Value.(string)
			label, isLabel = number(entry.Key)
		}
		if !isName || !isLabel || label < 0 || label >= len(names) {
			return nil
		}
		names[label] = name
	}
	return names
}

func number(key any) (int, bool) {
	if digits, ok := key.(string); ok {
		n, err := strconv.Atoi(digits)
		return n, err == nil
	}
	n, ok := key.(int)
	return n, ok
}

// allTexts returns items that are all texts, else nil.
func allTexts(items []any) []string {
	var names []string
	for _, item := range items {
		name, ok := item.(string)
		if !ok {
			return nil
		}
		names = append(names, name)
	}
	return names
}
