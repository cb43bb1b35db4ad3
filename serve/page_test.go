package serve

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	w := do(newServer(t, &fakeModel{}), httptest.NewRequest("GET", "/", nil))
	body := w.Body.String()
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=UTF-8" {
		t.Errorf("content type %q", got)
	}
	policy := w.Header().Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("policy %q lacks %s", policy, directive)
		}
	}
	// The policy admits the very script and style that are in the page.
	for _, element := range []string{"style", "script"} {
		content := regexp.MustCompile(`(?s)<` + element + `>(.*?)</` + element + `>`).FindStringSubmatch(body)
		if content == nil || !strings.Contains(policy, element+"-src '"+hashSource(content[1])+"'") {
			t.Errorf("the policy does not admit the page's %s", element)
		}
	}
	// It needs nothing from elsewhere, and nothing that the policy forbids.
	if found := regexp.MustCompile(`(src|href)="(https?:)?//|@import|\sstyle="|\son[a-z]+="`).FindString(body); found != "" {
		t.Errorf("the page contains %q", found)
	}
}
