package serve

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/keys"
	"github.com/ascood/ascood/serve/openapi"
	"github.com/ascood/ascood/serve/scoring"
)

// TestOpenAPI: each status of each route is answered, and each answer is as the document
// says; there are no routes but those of the document.
func TestOpenAPI(t *testing.T) {
	c := newContract(t)
	plain := newServer(t, &fakeModel{}, func(config *Config) { config.MaxImages = 1 })
	full := newServer(t, &fakeModel{})
	full.draining.Store(true)
	if !full.memory.TryAcquire(full.config.MaxUploadMemory) {
		t.Fatal("the memory is not free")
	}
	several := severalServer(t)
	locked := newServer(t, &fakeModel{}, func(config *Config) { config.Keys = oneKey(t) })
	for _, s := range []*Server{plain, full, several, locked} {
		c.watch(s)
		s.echo.Use(panicking)
	}
	image, wide := string(grayPNG(t, 255)), string(hugePNG())
	const slow = "a body that does not arrive"
	for path, methods := range c.document.Paths {
		for method, operation := range methods {
			ask := func(s *Server, path, body string, headers ...string) {
				var sent io.Reader = strings.NewReader(body)
				if body == slow {
					sent = iotest.ErrReader(os.ErrDeadlineExceeded)
				}
				r := httptest.NewRequest(strings.ToUpper(method), strings.ReplaceAll(path, "{version}", "1"), sent)
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
				do(s, r)
			}
			fake := strings.ReplaceAll(path, "{model}", "fake")
			wrap := func(file string) string { return file }
			if strings.HasPrefix(path, "/v2/") {
				wrap = inTensor
			}
			for _, body := range []string{wrap(image), "", wrap("text"), wrap(wide), slow} {
				ask(plain, fake, body)
			}
			ask(plain, fake, wrap(image), panicHeader, "1")
			ask(plain, fake, wrap(image), "Content-Encoding", "gzip")
			ask(full, fake, wrap(image))
			ask(several, strings.ReplaceAll(path, "{model}", "bad"), wrap(image))
			ask(several, strings.ReplaceAll(path, "{model}", "nothing"), wrap(image))
			ask(locked, fake, wrap(image))
			for range 2 { // one request a minute
				ask(locked, fake, wrap(image), "X-API-Key", "secret")
			}
			for status := range operation.Responses {
				if where := method + " " + path + " " + status; !c.seen[where] {
					t.Errorf("%s is in the document, and nothing has got it", where)
				}
			}
		}
	}
	for _, route := range plain.echo.Routes() {
		if route.Method == http.MethodHead || route.Method == echo.RouteNotFound {
			continue
		}
		if _, ok := c.document.Paths[documented(route.Path)][strings.ToLower(route.Method)]; !ok {
			t.Errorf("%s %s is not in the document", route.Method, route.Path)
		}
	}
}

// inTensor is a request with a file.
func inTensor(file string) string {
	data, err := json.Marshal([][]byte{[]byte(file)})
	if err != nil {
		panic(err)
	}
	return `{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":` + string(data) + `}]}`
}

const panicHeader = "X-Panic"

// panicking stands for a fault in whatever handler.
func panicking(next echo.HandlerFunc) echo.HandlerFunc {
	return func(e echo.Context) error {
		if e.Request().Header.Get(panicHeader) != "" {
			panic("on demand")
		}
		return next(e)
	}
}

// severalServer has no default, and a model that was refused.
func severalServer(t *testing.T) *Server {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"fake", "bad"} {
		if err := os.WriteFile(filepath.Join(folder, name+".onnx"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := DefaultConfig()
	models, err := scoring.Open(t.Context(), scoring.Source{Folder: folder, Open: func(path string, _ bool) (scoring.Model, error) {
		if strings.HasSuffix(path, "bad.onnx") {
			return nil, errors.New("not a model")
		}
		return &fakeModel{}, nil
	}}, config.Limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { models.Close() })
	s, err := New(models, config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// oneKey is "secret", for one request a minute.
func oneKey(t *testing.T) *keys.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, fmt.Appendf(nil, "line %x 1\n", sha256.Sum256([]byte("secret"))), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := keys.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// The document speaks of this version and of the errors that there are, and routes without
// a key are those that it says.
func TestOpenAPIOfThisServer(t *testing.T) {
	d, err := openapi.Read()
	if err != nil {
		t.Fatal(err)
	}
	if d.Info.Version != ascood.Version {
		t.Errorf("the document is of version %s, want %s", d.Info.Version, ascood.Version)
	}
	var schema struct {
		Properties struct{ Code struct{ Enum []ascood.Code } }
	}
	if err := json.Unmarshal(d.Components.Schemas["Error"], &schema); err != nil {
		t.Fatal(err)
	}
	for code := range statuses {
		if slices.Contains(schema.Properties.Code.Enum, code) == (code == canceled) {
			t.Errorf("the document and the code %q", code)
		}
	}
	var open []string
	for path, methods := range d.Paths {
		if methods["get"].Security != nil {
			open = append(open, path)
		}
	}
	slices.Sort(open)
	if want := slices.Sorted(slices.Values(openRoutes)); !slices.Equal(open, want) {
		t.Errorf("the document says that %v need no key, the code %v", open, want)
	}
}

// TestOpenAPIPage: the page has all routes and schemas, leads to each, and asks for nothing
// from elsewhere.
func TestOpenAPIPage(t *testing.T) {
	w := do(newServer(t, &fakeModel{}), httptest.NewRequest("GET", "/openapi", nil))
	page, d := w.Body.String(), newContract(t).document
	for path, methods := range d.Paths {
		for method, o := range methods {
			if title := "<summary>" + strings.ToUpper(method) + " " + path + "</summary>"; !strings.Contains(page, title) || !strings.Contains(html.UnescapeString(page), o.Summary) {
				t.Errorf("the page lacks %s", title)
			}
		}
	}
	for _, link := range regexp.MustCompile(`href="#(\w+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("a link leads to %s", link[1])
		}
	}
	if found := regexp.MustCompile(`(src|href)="(https?:)?//|@import|<script|\sstyle="`).FindString(page); found != "" {
		t.Errorf("the page contains %q", found)
	}
	if !strings.Contains(page, pageCSS) || !strings.Contains(w.Header().Get("Content-Security-Policy"), hashSource(pageCSS)) {
		t.Error("the style is not the one that the policy admits")
	}
}
