package keep

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// kept are the files of a folder.
func kept(t *testing.T, folder string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			path, err = filepath.Rel(folder, path)
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

func open(t *testing.T, folder string, most int64, perMinute int, log *bytes.Buffer) *Store {
	t.Helper()
	s, err := Open(Config{folder, most, perMinute, slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeep(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	var log bytes.Buffer
	s := open(t, folder, 1<<20, 100, &log)
	jpeg := []byte("\xff\xd8\xff\xe0 and so on")
	for _, i := range []Image{
		{"clothes", "Shirt", jpeg, map[string]float64{"score": 0.5}},
		{"clothes", "Bag", jpeg, nil}, // the same image
		{"../up", "T-shirt/top", []byte("II*\x00"), nil},
		{"..", ".hidden", []byte("GIF89a"), nil},
	} {
		if !s.Keep(i) {
			t.Errorf("%s is not kept", i.Class)
		}
	}
	s.Close()
	got := kept(t, folder)
	for n, want := range []string{"_../images/_.hidden/*.gif", "_../verdicts/*.json", "_.._up/images/T-shirt_top/*.tif", "_.._up/verdicts/*.json", "clothes/images/Shirt/*.jpg", "clothes/verdicts/*.json"} {
		if n >= len(got) {
			t.Fatalf("kept are %v", got)
		}
		if ok, err := filepath.Match(want, got[n]); !ok || err != nil {
			t.Errorf("file %d is %s, want %s", n, got[n], want)
		}
	}
	if file, err := os.ReadFile(filepath.Join(folder, got[4])); err != nil || !bytes.Equal(file, jpeg) {
		t.Errorf("the image is %q, %v", file, err)
	}
	if verdict, err := os.ReadFile(filepath.Join(folder, got[5])); err != nil || string(verdict) != "{\n  \"score\": 0.5\n}" {
		t.Errorf("the verdict is %q, %v", verdict, err)
	}
	if len(got) != 6 || log.Len() > 0 {
		t.Errorf("%d files; logged %s", len(got), log.String())
	}
}

// The folder does not grow beyond its size, over several processes, and each says so once.
func TestKeepIsBounded(t *testing.T) {
	folder := t.TempDir()
	for round := range 3 {
		var log bytes.Buffer
		s := open(t, folder, 5000, 1000, &log)
		for n := range 20 {
			file := slices.Repeat([]byte{byte(round), byte(n)}, 500)
			for end := time.Now().Add(10 * time.Second); !s.Keep(Image{"m", "c", file, nil}) && log.Len() == 0 && time.Now().Before(end); {
				time.Sleep(time.Millisecond) // others are being written
			}
		}
		s.Close()
		if strings.Count(log.String(), "there are as many as may be") != 1 {
			t.Errorf("logged %s", log.String())
		}
	}
	size := int64(0)
	for _, path := range kept(t, folder) {
		info, err := os.Stat(filepath.Join(folder, path))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size < 3000 || size > 5000+100 {
		t.Errorf("%d bytes are kept", size)
	}
}

func TestKeepRate(t *testing.T) {
	s := open(t, t.TempDir(), 1<<20, 3, &bytes.Buffer{})
	defer s.Close()
	send := func() (n int) {
		for i := range 10 {
			if s.Keep(Image{"m", "c", fmt.Append(nil, i), nil}) {
				n++
			}
		}
		return n
	}
	if n := send(); n != 3 {
		t.Errorf("%d in the first minute", n)
	}
	s.minute = s.minute.Add(-59 * time.Second)
	if n := send(); n != 0 {
		t.Errorf("%d more in the first minute", n)
	}
	s.minute = s.minute.Add(-time.Second)
	if n := send(); n == 0 || n > 3 {
		t.Errorf("%d in the second minute", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Place: file}); err == nil || !strings.Contains(err.Error(), "place to keep images in") {
		t.Errorf("got %v", err)
	}
}
