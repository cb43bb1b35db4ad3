package serve

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/ascood/ascood"
)

// certificate is one in a pair of files, which are read again when they have changed.
// What is wrong then is logged, and the old one goes on.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   [2]time.Time // when the files were last written to
	now    *tls.Certificate
}

// certificateEvery is how often the files are looked at, while there are connections.
const certificateEvery = time.Second

// TLS returns what a server needs for TLS, of files in PEM.
func TLS(cert, key string, log *slog.Logger) (*tls.Config, error) {
	c := &certificate{cert: cert, key: key, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	// HTTP/1.1 alone: the limits on slow and silent clients are those of connections.
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.get}, nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= certificateEvery {
		if err := c.read(); err != nil {
			c.log.Error("the certificate is left as it is", "error", err.Error())
		}
	}
	return c.now, nil
}

func (c *certificate) read() error {
	c.looked = time.Now()
	var written [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return ascood.Errorf(ascood.Invalid, "TLS: %w", err)
		}
		written[i] = info.ModTime()
	}
	if written == c.seen {
		return nil
	}
	c.seen = written // what is wrong is told once
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return ascood.Errorf(ascood.Invalid, "TLS: %s and %s: %w", c.cert, c.key, err)
	}
	c.now = &pair
	return nil
}
