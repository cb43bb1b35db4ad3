package importer

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/ascood/ascood/onnx"
)

// nameKeys are the metadata in which exporters write the names of classes: Hugging
// Face's id2label, timm's label_names, Ultralytics' names, and what others call them.
var nameKeys = []string{"id2label", "label_names", "names", "classes", "class_names", "labels"}

// classNames returns the names of the classes that the file's metadata has.
func classNames(m *onnx.ModelProto) []string {
	for _, p := range m.MetadataProps {
		if slices.Contains(nameKeys, p.Key) {
			if names := parseNames(p.Value); names != nil {
				return names
			}
		}
	}
	return nil
}

// parseNames reads names from a list, or from an object whose keys are the indices, in
// JSON or as Python prints them, or from one a line.
func parseNames(text string) []string {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "{") {
		if lines := strings.Split(text, "\n"); len(lines) > 1 {
			for i := range lines {
				lines[i] = strings.TrimSpace(lines[i])
			}
			return lines
		}
		return nil
	}
	for _, json := range []string{text, fromPython(text)} {
		if names := parseJSON(json); names != nil {
			return names
		}
	}
	return nil
}

func parseJSON(text string) []string {
	var list []string
	if json.Unmarshal([]byte(text), &list) == nil {
		return list
	}
	var byIndex map[string]string
	if json.Unmarshal([]byte(text), &byIndex) != nil {
		return nil
	}
	names := make([]string, len(byIndex))
	for key, name := range byIndex {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= len(names) {
			return nil
		}
		names[i] = name
	}
	return names
}

// fromPython writes a list or dict of numbers and strings as JSON: strings get double
// quotes, and so do the numbers before a colon.
func fromPython(text string) string {
	var out, number strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			end := i + 1
			var content strings.Builder
			for ; end < len(text) && text[end] != c; end++ {
				if text[end] == '\\' && end+1 < len(text) {
					end++
				}
				content.WriteByte(text[end])
			}
			quoted, err := json.Marshal(content.String())
			if err != nil {
				return ""
			}
			out.Write(quoted)
			i = end
		case c >= '0' && c <= '9':
			number.WriteByte(c)
		case c == ':' && number.Len() > 0:
			out.WriteString(strconv.Quote(number.String()) + ":")
			number.Reset()
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
