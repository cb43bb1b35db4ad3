// Package keep stores images that people should look at, with what was said of them, in
// folders that ascood-train reads.
//
// For a model NAME there are NAME/images/CLASS/ID.jpg, by the predicted class, to be moved
// to the right one, and NAME/verdicts/ID.json. The ID is of the file's content: an image is
// kept once, however often it comes.
package keep

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/internal/atomicfile"
)

// Config says where images are kept, and how many.
type Config struct {
	Folder    string
	MaxBytes  int64 // of all files; then no more are kept
	PerMinute int   // images; others are left out
	Logger    *slog.Logger
}

// Image is one to be kept.
type Image struct {
	Model, Class string
	File         []byte
	Verdict      any // as JSON
}

// Store keeps images, one after another, while others wait for nothing.
type Store struct {
	config Config
	queue  chan Image
	done   chan struct{}

	mu     sync.Mutex
	bytes  int64
	minute time.Time // when the minute began in which there were
	images int       // so many
	told   bool      // that it is full
}

// waiting is how many images may wait to be written. Beyond that they are left out.
const waiting = 4

// Open prepares the folder, and counts what is in it.
func Open(c Config) (*Store, error) {
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return nil, ascood.Errorf(ascood.Unavailable, "folder to keep images in: %w", err)
	}
	s := &Store{config: c, queue: make(chan Image, waiting), done: make(chan struct{})}
	err := filepath.WalkDir(c.Folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			s.bytes += info.Size()
		}
		return err
	})
	if err != nil {
		return nil, ascood.Errorf(ascood.Unavailable, "folder to keep images in: %w", err)
	}
	go s.write()
	return s, nil
}

// Keep hands an image over, and reports whether it is to be kept: not if too many came
// within the minute or wait already, nor if the folder is full.
func (s *Store) Keep(i Image) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.minute) >= time.Minute {
		s.minute, s.images = now, 0
	}
	if s.images >= s.config.PerMinute || s.bytes+int64(len(i.File)) > s.config.MaxBytes {
		s.tell(s.bytes+int64(len(i.File)) > s.config.MaxBytes)
		return false
	}
	select {
	case s.queue <- i:
		s.images++
		s.bytes += int64(len(i.File))
		return true
	default:
		return false
	}
}

// tell says once that the folder is full.
func (s *Store) tell(full bool) {
	if full && !s.told {
		s.told = true
		s.config.Logger.Warn("no more images are kept: the folder is full", "folder", s.config.Folder, "bytes", s.bytes, "most", s.config.MaxBytes)
	}
}

// Close writes what waits. Nothing is to be kept any more by then.
func (s *Store) Close() {
	close(s.queue)
	<-s.done
}

func (s *Store) write() {
	defer close(s.done)
	for i := range s.queue {
		written, err := s.save(i)
		if err != nil {
			s.config.Logger.Error("image not kept", "model", i.Model, "error", err.Error())
		}
		s.mu.Lock()
		s.bytes += written - int64(len(i.File))
		s.mu.Unlock()
	}
}

// save writes an image and its verdict, unless they are there. The verdict comes last: an
// image without one was being written when the process ended.
func (s *Store) save(i Image) (written int64, err error) {
	sum := sha256.Sum256(i.File)
	id := hex.EncodeToString(sum[:16])
	folder := filepath.Join(s.config.Folder, name(i.Model))
	verdict := filepath.Join(folder, "verdicts", id+".json")
	if _, err := os.Stat(verdict); !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	text, err := json.MarshalIndent(i.Verdict, "", "  ")
	if err != nil {
		return 0, err
	}
	image := filepath.Join(folder, "images", name(i.Class), id+extension(i.File))
	if err := put(image, i.File); err != nil {
		return 0, err
	}
	return int64(len(i.File) + len(text)), put(verdict, text)
}

func put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data)
}

// name is a name as that of a folder, one that is not hidden.
func name(of string) string {
	of = strings.Map(func(r rune) rune {
		if r == '/' || r == filepath.Separator || r < ' ' {
			return '_'
		}
		return r
	}, of)
	if of == "" || strings.HasPrefix(of, ".") {
		return "_" + of
	}
	return of
}

// extension is what the names of such files end in.
func extension(file []byte) string {
	switch kind := http.DetectContentType(file); {
	case bytes.HasPrefix(file, []byte("II*\x00")), bytes.HasPrefix(file, []byte("MM\x00*")):
		return ".tif"
	case kind == "image/jpeg":
		return ".jpg"
	case strings.HasPrefix(kind, "image/"):
		return "." + strings.TrimPrefix(kind, "image/")
	}
	return ".img"
}
