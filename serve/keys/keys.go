// Package keys says who may use the server: a file has the name of each client, the
// SHA-256 digest of its key, and how many requests it may send.
package keys

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ascood/ascood"
)

// Codes of what keys are refused for.
const (
	Unauthorized ascood.Code = "unauthorized" // no key, or an unknown one
	RateLimited  ascood.Code = "rate_limited" // more requests than the key's owner may send
)

// File is a file of keys. It is read again when it has changed; what is wrong then is
// logged, and the keys stay as they are.
type File struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	looked  time.Time // when
	info    os.FileInfo
	clients []*client
}

// client is a line of the file.
type client struct {
	name      string
	digest    [sha256.Size]byte
	perMinute int // 0 is no limit

	minute   time.Time // when the minute began in which there were
	requests int       // so many
}

// lookEvery is how often the file is looked at, while there are requests.
const lookEvery = time.Second

// Open reads a file: lines of a name, a digest in hexadecimal and, if there is a limit, the
// most requests a minute. Empty lines and those that begin with # are left out.
func Open(path string, log *slog.Logger) (*File, error) {
	f := &File{path: path, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) read() error {
	f.looked = time.Now()
	info, err := os.Stat(f.path)
	if err == nil && f.info != nil && os.SameFile(info, f.info) && info.ModTime().Equal(f.info.ModTime()) && info.Size() == f.info.Size() {
		return nil
	}
	var content []byte
	if err == nil {
		content, err = os.ReadFile(f.path)
	}
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "keys: %w", err)
	}
	f.info = info // a wrong file is told once
	clients, err := parse(content)
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "keys: %s: %w", f.path, err)
	}
	for _, c := range clients { // who is known goes on counting
		for _, old := range f.clients {
			if old.name == c.name {
				c.minute, c.requests = old.minute, old.requests
			}
		}
	}
	f.clients = clients
	return nil
}

func parse(content []byte) ([]*client, error) {
	var clients []*client
	seen := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		c, err := parseLine(fields)
		if err == nil && seen[c.name] {
			err = ascood.Errorf(ascood.Invalid, "%s is there already", c.name)
		}
		if err != nil {
			return nil, ascood.Errorf(ascood.Invalid, "line %d: %w", n, err)
		}
		seen[c.name] = true
		clients = append(clients, c)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(clients) == 0 {
		return nil, ascood.Errorf(ascood.Invalid, "there are no keys in it")
	}
	return clients, nil
}

func parseLine(fields []string) (*client, error) {
	const form = "want a name, the key's SHA-256 in hexadecimal and, if you like, the most requests a minute"
	if len(fields) < 2 || len(fields) > 3 {
		return nil, ascood.Errorf(ascood.Invalid, "%d words: %s", len(fields), form)
	}
	c := &client{name: fields[0]}
	digest, err := hex.DecodeString(fields[1])
	if err != nil || len(digest) != len(c.digest) {
		return nil, ascood.Errorf(ascood.Invalid, "the second word is no SHA-256: %s", form)
	}
	copy(c.digest[:], digest)
	if len(fields) == 3 {
		if c.perMinute, err = strconv.Atoi(fields[2]); err != nil || c.perMinute < 1 {
			return nil, ascood.Errorf(ascood.Invalid, "%q requests a minute: %s", fields[2], form)
		}
	}
	return c, nil
}

// Admit returns the name of the client whose key it is, and counts its request. Otherwise
// the error is Unauthorized, or RateLimited with the time until the next minute; the name
// is there then, too.
func (f *File) Admit(key string) (name string, retry time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) >= lookEvery {
		if err := f.read(); err != nil {
			f.log.Error("keys are left as they are", "error", err.Error())
		}
	}
	c := f.find(key)
	if c == nil {
		return "", 0, ascood.Errorf(Unauthorized, "no key, or an unknown one: send it as Authorization: Bearer KEY, or as X-API-Key: KEY")
	}
	now := time.Now()
	if now.Sub(c.minute) >= time.Minute {
		c.minute, c.requests = now, 0
	}
	if c.perMinute > 0 && c.requests >= c.perMinute {
		return c.name, time.Minute - now.Sub(c.minute), ascood.Errorf(RateLimited, "%s may send %d requests a minute: try again later", c.name, c.perMinute)
	}
	c.requests++
	return c.name, 0, nil
}

// find takes as long for any key. Digests of equal length are compared, so that nothing of
// a key is told by how long that takes.
func (f *File) find(key string) *client {
	digest := sha256.Sum256([]byte(key))
	var found *client
	for _, c := range f.clients {
		if subtle.ConstantTimeCompare(digest[:], c.digest[:]) == 1 {
			found = c
		}
	}
	return found
}
