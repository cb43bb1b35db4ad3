package keys

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ascood/ascood"
)

func line(name, key, rest string) string {
	return fmt.Sprintf("%s %x %s\n", name, sha256.Sum256([]byte(key)), rest)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAdmit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, "# clients\n\n"+line("line", "secret", "")+line("batch", "other", "2"))
	var log bytes.Buffer
	f, err := Open(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := func(key, name string, code ascood.Code) {
		t.Helper()
		got, retry, err := f.Admit(key)
		if got != name || ascood.CodeOf(err) != code || (retry > 0) != (code == RateLimited) {
			t.Errorf("%q: %s, %v, %v; want %s, %s", key, got, retry, err, name, code)
		}
	}
	want("secret", "line", "")
	for _, key := range []string{"", "Secret", "secret ", "secre", strings.Repeat("x", 10_000)} {
		want(key, "", Unauthorized)
	}
	want("other", "batch", "")
	want("other", "batch", "")
	want("other", "batch", RateLimited)
	want("secret", "line", "") // others are not held up

	later := func() { f.looked = f.looked.Add(-lookEvery) }
	write(t, path, line("batch", "other", "3")+line("new", "third", ""))
	want("third", "", Unauthorized) // for a second
	later()
	want("third", "new", "")
	want("secret", "", Unauthorized)
	want("other", "batch", "") // one more than before
	want("other", "batch", RateLimited)
	f.clients[0].minute = f.clients[0].minute.Add(-time.Minute)
	want("other", "batch", "")

	write(t, path, "nonsense")
	for range 3 {
		later()
		want("third", "new", "")
	}
	if strings.Count(log.String(), "keys are left as they are") != 1 {
		t.Errorf("logged %s", log.String())
	}
}

func TestOpenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	digest := strings.TrimSpace(line("", "key", ""))
	for content, want := range map[string]string{
		"":                                "there are no keys in it",
		"# a " + digest:                   "there are no keys in it",
		"a":                               "line 1: 1 words: want a name",
		"\na " + digest + " 1 2":          "line 2: 4 words",
		"a secret":                        "the second word is no SHA-256",
		"a " + digest[:62]:                "the second word is no SHA-256",
		"a " + digest + " many":           `"many" requests a minute`,
		"a " + digest + " 0":              `"0" requests a minute`,
		"a " + digest + "\na " + digest:   "line 2: a is there already",
		"a " + strings.Repeat("x", 1<<20): "token too long",
	} {
		write(t, path, content)
		if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), want) || ascood.CodeOf(err) != ascood.Invalid {
			t.Errorf("%.40q: got %v, want %s", content, err, want)
		}
	}
	if _, err := Open("missing", nil); err == nil {
		t.Error("a file that is missing")
	}
}
