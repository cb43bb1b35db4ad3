package study

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are values by name: numbers, words, true or false, or lists of these.
type Settings map[string]any

// trainingKeys are the settings of trainings that a plan may choose: those flags of
// ascood-train that have no place of their own in it.
var trainingKeys = []string{
	"alpha_max", "alpha_min", "arch", "augment", "batch_size", "channels", "class_count", "deterministic", "epochs", "exif_orientation",
	"fc_lr_factor", "feature", "freeze_batch_norm", "gray16", "head_feature", "image_size", "input_layout", "interpolation", "logits", "lr", "mean", "momentum", "onnx",
	"ood_loss", "ood_type", "outlier_batch_size", "p_inv", "pixels", "pre_size", "precision", "preprocess", "pretrained", "resize", "saliency",
	"sigma", "skip_broken", "state_dict", "std", "tap", "tf32", "train_limit", "truncated", "val_limit", "w", "weight_decay", "width",
}

// fileKeys are those whose values are files.
var fileKeys = []string{"onnx", "pretrained"}

// notPretrained in place of a file stands for random weights.
const notPretrained = "none"

// resolve lets paths start from a folder.
func (s Settings) resolve(dir string) {
	for _, key := range fileKeys {
		if path, ok := s[key].(string); ok && path != notPretrained {
			s[key] = under(dir, path)
		}
	}
}

// over are settings with others in their place.
func (s Settings) over(others ...Settings) Settings {
	all := maps.Clone(s)
	if all == nil {
		all = Settings{}
	}
	for _, other := range others {
		maps.Copy(all, other)
	}
	return all
}

// names are sorted.
func (s Settings) names() []string { return slices.Sorted(maps.Keys(s)) }

// flags are the settings as those of a command line.
func (s Settings) flags() (flags []string) {
	for _, name := range s.names() {
		flags = append(flags, "--"+strings.ReplaceAll(name, "_", "-")+"="+text(s[name]))
	}
	return flags
}

// assignments are the settings as values of a flag that is repeated.
func (s Settings) assignments(flag string) (flags []string) {
	for _, name := range s.names() {
		flags = append(flags, flag+"="+name+"="+text(s[name]))
	}
	return flags
}

// String is for people: w=1, p_inv=0.1.
func (s Settings) String() string {
	var words []string
	for _, name := range s.names() {
		words = append(words, name+"="+text(s[name]))
	}
	return strings.Join(words, ", ")
}

// text is a value as a command line has it.
func text(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	words := make([]string, len(list))
	for i, element := range list {
		words[i] = text(element)
	}
	return strings.Join(words, ",")
}

// isValue reports whether a value can stand on a command line.
func isValue(v any) bool {
	switch v := v.(type) {
	case string, bool, json.Number:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(element any) bool { _, list := element.([]any); return list || !isValue(element) })
	}
	return false
}
