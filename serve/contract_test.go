package serve

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ascood/ascood/serve/openapi"
)

// contract holds what a server answers to GET /openapi.json.
type contract struct {
	t        testing.TB
	document *openapi.Document
	compiler *jsonschema.Compiler

	mu   sync.Mutex
	seen map[string]bool // method, path and status
}

func newContract(t testing.TB) *contract {
	t.Helper()
	document, err := openapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	all, err := jsonschema.UnmarshalJSON(bytes.NewReader(openapi.JSON))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{t: t, document: document, compiler: jsonschema.NewCompiler(), seen: map[string]bool{}}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", all); err != nil {
		t.Fatal(err)
	}
	return c
}

// watch has all that a server answers checked, where it is recorded.
func (c *contract) watch(s *Server) {
	s.echo.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(e echo.Context) error {
			answer, ok := e.Response().Writer.(*httptest.ResponseRecorder)
			if !ok { // the connection itself is tested
				return next(e)
			}
			request := &copied{ReadCloser: e.Request().Body}
			if strings.HasPrefix(e.Request().URL.Path, "/v2/") { // no other takes JSON
				e.Request().Body = request
			}
			err := next(e)
			c.check(e, request.data.Bytes(), answer.Body.Bytes())
			return err
		}
	})
}

// copied is a body that keeps what is read of it.
type copied struct {
	io.ReadCloser
	data bytes.Buffer
}

func (b *copied) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.data.Write(p[:n])
	return n, err
}

var routeParam = regexp.MustCompile(`:(\w+)`)

// documented is a route as the document writes it.
func documented(route string) string {
	if route != "/" {
		route = strings.TrimSuffix(route, "/")
	}
	return routeParam.ReplaceAllString(route, "{$1}")
}

func (c *contract) check(e echo.Context, request, answer []byte) {
	r, status, path := e.Request(), e.Response().Status, documented(e.Path())
	method := strings.ToLower(r.Method)
	if status == 499 || r.Method == http.MethodHead || r.Method == http.MethodOptions { // without a body, or nobody reads it
		return
	}
	operation, ok := c.document.Paths[path][method]
	if !ok {
		c.checkNone(r, status, answer)
		return
	}
	where := fmt.Sprintf("%s %s %d", method, path, status)
	c.mu.Lock()
	c.seen[where] = true
	c.mu.Unlock()
	body, ok := operation.Responses[strconv.Itoa(status)]
	if !ok {
		c.t.Errorf("%s is not in the document: %.200s", where, answer)
		return
	}
	c.conforms(where, body, e.Response().Header().Get("Content-Type"), answer)
	if status == http.StatusOK && operation.RequestBody != nil {
		c.checkRequest(where, *operation.RequestBody, r, request)
	}
}

// checkRequest makes sure that the document knows what was answered. Whatever the type
// that was sent, JSON alone has a schema that tells something.
func (c *contract) checkRequest(where string, body openapi.Body, r *http.Request, request []byte) {
	length, err := strconv.Atoi(r.Header.Get(lengthHeader))
	if err != nil {
		length = len(request)
	}
	if content, ok := body.Content["application/json"]; ok {
		c.matches("the request of "+where, content.Schema, request[:length])
	}
}

// checkNone is for paths and methods that there are not.
func (c *contract) checkNone(r *http.Request, status int, answer []byte) {
	if !slices.Contains([]int{401, 404, 405, 429, 500}, status) {
		c.t.Errorf("%s %s, which is not in the document, has status %d", r.Method, r.URL.Path, status)
	}
	name := "ErrorResponse"
	if r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/") {
		name = "V2Error"
	}
	c.matches(r.Method+" "+r.URL.Path, []byte(`{"$ref":"openapi.json#/components/schemas/`+name+`"}`), answer)
}

// conforms holds a body to what is said of it.
func (c *contract) conforms(where string, body openapi.Body, contentType string, data []byte) {
	kind, _, err := mime.ParseMediaType(contentType)
	content, ok := body.Content[kind]
	if err != nil || !ok {
		c.t.Errorf("%s has content type %q (%v); the document has %v", where, contentType, err, body.Content)
		return
	}
	if kind == "application/json" {
		c.matches(where, content.Schema, data)
	}
}

// matches holds JSON to a schema.
func (c *contract) matches(where string, schema, data []byte) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		c.t.Errorf("%s: %v in %.200q", where, err, data)
		return
	}
	compiled, err := c.compile(schema)
	if err != nil {
		c.t.Errorf("%s: %v", where, err)
		return
	}
	if err := compiled.Validate(value); err != nil {
		c.t.Errorf("%s: %.200s: %v", where, data, err)
	}
}

// compile makes a schema of the document one that refers to it from outside.
func (c *contract) compile(schema []byte) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := strings.ReplaceAll(string(schema), `"#/`, `"openapi.json#/`)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("schema-%x.json", text)
	if err := c.compiler.AddResource(name, value); err != nil && !strings.Contains(err.Error(), "already exists") {
		return nil, err
	}
	return c.compiler.Compile(name)
}
