// Package keep stores images that people should look at, with what was said of them, in
// folders that ascood-train reads, or in a bucket of object storage by the same names.
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
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Config says where images are kept, and how many.
type Config struct {
	Place     string // a folder, or the URL of a bucket
	MaxBytes  int64  // of all files; then no more are kept
	PerMinute int    // images; others are left out
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
	place  place
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

// Open prepares the place, and counts what is in it.
func Open(c Config) (*Store, error) {
	at, bytes, err := openPlace(c.Place)
	if err != nil {
		return nil, err
	}
	s := &Store{config: c, place: at, queue: make(chan Image, waiting), done: make(chan struct{}), bytes: bytes}
	go s.write()
	return s, nil
}

// Keep hands an image over, and reports whether it is to be kept: not if too many came
// within the minute or wait already, nor if the place is full.
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

// tell says once that the place is full.
func (s *Store) tell(full bool) {
	if full && !s.told {
		s.told = true
		s.config.Logger.Warn("no more images are kept: there are as many as may be", "place", s.config.Place, "bytes", s.bytes, "most", s.config.MaxBytes)
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
	verdict := path.Join(name(i.Model), "verdicts", id+".json")
	if there, err := s.place.has(verdict); there || err != nil {
		return 0, err
	}
	text, err := json.MarshalIndent(i.Verdict, "", "  ")
	if err != nil {
		return 0, err
	}
	image := path.Join(name(i.Model), "images", name(i.Class), id+extension(i.File))
	if err := s.place.put(image, i.File); err != nil {
		return 0, err
	}
	return int64(len(i.File) + len(text)), s.place.put(verdict, text)
}

// name is a name as that of a folder, one that is not hidden.
func name(of string) string {
	of = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r < ' ' {
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
