package serve

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/keys"
	"github.com/ascood/ascood/serve/scoring"
)

// Every code has a status of its own choosing.
func TestStatuses(t *testing.T) {
	s := newServer(t, &fakeModel{})
	for _, code := range append(ascood.Codes(), keys.Unauthorized, keys.RateLimited, scoring.NotFound, methodNotAllowed, timedOut, canceled) {
		status, ok := statuses[code]
		if !ok {
			t.Errorf("code %q has no status", code)
		}
		wantError(t, written(s, code), status, string(code))
	}
}

// A code that nobody thought of is no success.
func TestUnknownCode(t *testing.T) {
	wantError(t, written(newServer(t, &fakeModel{}), "odd"), http.StatusInternalServerError, "odd")
}

// written is the answer for an error of the given code.
func written(s *Server, code ascood.Code) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	c := s.echo.NewContext(httptest.NewRequest("GET", "/", nil), w)
	c.Response().Header().Set(echo.HeaderXRequestID, "x")
	writeError(ascood.Errorf(code, "example"), c)
	return w
}

// The table in docs/http-api.md is the one in the code.
func TestStatusesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/http-api.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[ascood.Code]int{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([0-9]{3}) \\| (`[a-z_`, ]+) \\|").FindAllStringSubmatch(string(page), -1) {
		for code := range strings.SplitSeq(row[2], ", ") {
			var status int
			if _, err := fmt.Sscan(row[1], &status); err != nil {
				t.Fatal(err)
			}
			documented[ascood.Code(strings.Trim(code, "`"))] = status
		}
	}
	if !maps.Equal(documented, statuses) {
		t.Errorf("docs/http-api.md has %v, the code %v", documented, statuses)
	}
}
