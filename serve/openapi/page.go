package openapi

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

//go:embed page.html
var frame string

// Page returns the document as a page in the given style, which asks for nothing from
// anywhere. It is written without html/template, with which the linker keeps the methods
// of all types: 8 MB of the program, of 30.
func Page(style string) (string, error) {
	d, err := Read()
	if err != nil {
		return "", err
	}
	var operations, schemas strings.Builder
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			write(&operations, strings.ToUpper(method)+" "+path, d.Paths[path][method])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		fmt.Fprintf(&schemas, "<h3 id=\"%[1]s\">%[1]s</h3>\n%[2]s\n", html.EscapeString(name), show(d.Components.Schemas[name]))
	}
	title := html.EscapeString(d.Info.Title + " " + d.Info.Version)
	return strings.NewReplacer("/*style*/", style, "{title}", title, "{description}", html.EscapeString(d.Info.Description),
		"{operations}", operations.String(), "{schemas}", schemas.String()).Replace(frame), nil
}

// write writes an operation.
func write(b *strings.Builder, title string, o Operation) {
	key := ""
	if o.Security != nil {
		key = " No key is needed."
	}
	fmt.Fprintf(b, "<details>\n<summary>%s</summary>\n<p>%s.%s</p>\n", html.EscapeString(title), html.EscapeString(o.Summary), key)
	if len(o.Parameters) > 0 {
		b.WriteString("<h2>Parameters</h2>\n<ul>\n")
		for _, p := range o.Parameters {
			fmt.Fprintf(b, "<li><code>%s</code> (%s): %s</li>\n", html.EscapeString(p.Name), html.EscapeString(p.In), html.EscapeString(p.Description))
		}
		b.WriteString("</ul>\n")
	}
	if o.RequestBody != nil {
		fmt.Fprintf(b, "<h2>Request</h2>\n<div>%s</div>\n", o.RequestBody.show())
	}
	b.WriteString("<h2>Answers</h2>\n<ul>\n")
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		body := o.Responses[status]
		fmt.Fprintf(b, "<li><strong>%s</strong> %s</li>\n", html.EscapeString(status), body.show())
	}
	b.WriteString("</ul>\n</details>\n")
}

// show is what a body is, and its media types with their schemas.
func (b *Body) show() string {
	text := html.EscapeString(b.Description) + ":"
	for _, kind := range slices.Sorted(maps.Keys(b.Content)) {
		text += " <code>" + html.EscapeString(kind) + "</code> " + show(b.Content[kind].Schema)
	}
	return text
}

// show is a schema as people read it: those with a name as a link to it, and none for
// what is not an object.
func show(schema json.RawMessage) string {
	var known struct {
		Ref   string            `json:"$ref"`
		AllOf []json.RawMessage // a named one, narrowed
		Type  string
	}
	switch err := json.Unmarshal(schema, &known); {
	case err == nil && known.Ref != "":
		name := html.EscapeString(last(known.Ref))
		return `<a href="#` + name + `">` + name + `</a>`
	case err == nil && len(known.AllOf) > 0:
		return show(known.AllOf[0])
	case err == nil && known.Type != "object":
		return ""
	}
	return "<pre tabindex=0>" + html.EscapeString(string(schema)) + "</pre>"
}
