// Package openapi describes the server's HTTP API as an OpenAPI document, version 3.1,
// and that document as a page for people. It is written by hand; the tests of package
// serve hold all answers to it.
package openapi

import (
	_ "embed"
	"encoding/json"
	"strings"
)

// JSON is the document.
//
//go:embed openapi.json
var JSON []byte

// Document is what the page shows of the document.
type Document struct {
	Info struct {
		Title, Version, Description string
	}
	Paths      map[string]map[string]Operation // by path and method
	Components struct {
		Schemas       map[string]json.RawMessage
		RequestBodies map[string]Body
		Responses     map[string]Body
	}
}

// Operation is a method of a path.
type Operation struct {
	Summary     string
	Security    *[]any // an empty list where no key is needed, nil elsewhere
	Parameters  []Parameter
	RequestBody *Body
	Responses   map[string]Body // by status
}

// Parameter is one of a path or a query.
type Parameter struct {
	Name, In, Description string
}

// Body is what a request or an answer holds, or a reference to it.
type Body struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]struct{ Schema json.RawMessage } // by media type
}

// Read returns the document, with references to bodies in place of which are the bodies.
func Read() (*Document, error) {
	var d Document
	if err := json.Unmarshal(JSON, &d); err != nil {
		return nil, err
	}
	for _, methods := range d.Paths {
		for method, o := range methods {
			if o.RequestBody != nil {
				body := d.Components.RequestBodies[last(o.RequestBody.Ref)]
				o.RequestBody = &body
			}
			for status, response := range o.Responses {
				if response.Ref != "" {
					o.Responses[status] = d.Components.Responses[last(response.Ref)]
				}
			}
			methods[method] = o
		}
	}
	return &d, nil
}

// last is the name that a reference ends in.
func last(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }
