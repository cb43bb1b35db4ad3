package serve

import (
	"encoding/base64"
	"net/http/httptest"
	"os"
	"os/exec"
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

// The page's script, by Node's test runner.
func TestPageScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("the tests of page.js need node: apt-get install nodejs")
	}
	// go test knows by this that its earlier result does not hold for changed files.
	for _, file := range []string{"page_test.mjs", "testdata/dom.mjs"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), node, "--test", "page_test.mjs")
	command.Env = append(os.Environ(),
		"PAGE_SERVER=http://"+serveOn(t, newServer(t, &fakeModel{})),
		"PAGE_IMAGE="+base64.StdEncoding.EncodeToString(grayPNG(t, 255)))
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
