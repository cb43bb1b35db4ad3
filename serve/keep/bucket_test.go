//go:build objectstore

package keep

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// storage speaks as much of S3's protocol as is spoken to it, for one bucket.
type storage struct {
	mu    sync.Mutex
	files map[string][]byte
}

func (s *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/strange/")
	_, there := s.files[name]
	switch {
	case r.Header.Get("Authorization") == "":
		w.WriteHeader(http.StatusForbidden)
	case r.Method == http.MethodPut:
		data, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.files[name] = data
	case r.Method == http.MethodHead && there:
		w.Header().Set("Content-Length", "0")
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Query().Get("list-type") == "2":
		type contents struct {
			Key, LastModified, ETag string
			Size                    int
		}
		answer := struct {
			XMLName  xml.Name `xml:"ListBucketResult"`
			Contents []contents
		}{}
		for name, file := range s.files {
			answer.Contents = append(answer.Contents, contents{name, "2026-01-01T00:00:00Z", "e", len(file)})
		}
		_ = xml.NewEncoder(w).Encode(answer)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// TestBucket: a bucket holds what a folder would, and is bounded with what is there.
func TestBucket(t *testing.T) {
	s := &storage{files: map[string][]byte{"other": make([]byte, 900)}}
	server := httptest.NewServer(s)
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	url := "s3://strange?region=any&use_path_style=true&endpoint=" + server.URL
	var log bytes.Buffer
	store := open(t, url, 1000, 100, &log)
	for range 2 { // the same image
		if !store.Keep(Image{"clothes", "Shirt", []byte("\xff\xd8\xff\xe0 and so on"), 0.5}) {
			t.Error("not kept")
		}
	}
	store.Close()
	var names []string
	for name := range s.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, want := range []string{"clothes/images/Shirt/*.jpg", "clothes/verdicts/*.json", "other"} {
		if ok, err := path.Match(want, names[min(i, len(names)-1)]); !ok || err != nil || len(names) != 3 {
			t.Fatalf("there are %v; logged %s", names, log.String())
		}
	}
	full := open(t, url, 950, 100, &log)
	defer full.Close()
	if full.Keep(Image{"clothes", "Bag", make([]byte, 100), nil}) {
		t.Error("kept beyond the size")
	}
}

func TestNoSuchBucket(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	for _, url := range []string{"s3://none?region=any&use_path_style=true&endpoint=http://127.0.0.1:1", "ftp://none"} {
		if _, err := Open(Config{Place: url}); err == nil || !strings.Contains(err.Error(), "place to keep images in") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
