package serve

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/scoring"
)

// body is a request's body on its way into memory. It is read in steps of
// stepBytes. Each step takes its size from the memory for uploads before it is
// read, and must arrive within the time for a step: a client that sends next to
// nothing holds next to nothing, and not for long.
type body struct {
	io.ReadCloser // yields no more than MaxBody bytes, then an error
	server        *Server
	conn          *http.ResponseController
	end           time.Time // of the request's time, as withDeadline set it
	held          int64     // bytes of the memory for uploads
	left          int64     // bytes of this step that are yet to be read
	late          error     // says what it means if this step's deadline passes
	err           error     // what ended the reading, io.EOF at the end of the body
}

// limitBody makes r's body one that keeps the server's limits. Its memory is to
// be released when nothing of the body is needed any more.
func (s *Server) limitBody(w http.ResponseWriter, r *http.Request) *body {
	b := &body{
		ReadCloser: http.MaxBytesReader(w, r.Body, s.config.MaxBody),
		server:     s,
		conn:       http.NewResponseController(w),
	}
	b.end, _ = r.Context().Deadline()
	r.Body = b
	return b
}

func (b *body) release() { b.server.memory.Release(b.held) }

// Read implements io.Reader. After an error, io.EOF included, it leaves the
// connection alone: at the end of a body net/http begins to watch for the client
// to leave, and a deadline that passes then would look like it.
func (b *body) Read(p []byte) (int, error) {
	if b.err == nil && b.left == 0 {
		b.err = b.step()
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = b.late
	}
	b.err = err
	return n, err
}

// step begins the next step.
func (b *body) step() error {
	size := min(stepBytes, b.server.config.MaxBody-b.held)
	if !b.server.memory.TryAcquire(size) {
		return scoring.NewBusy("memory", b.server.models.Wait(), "other uploads fill the memory for them")
	}
	b.held += size
	b.left = stepBytes
	deadline := time.Now().Add(b.server.stepTimeout)
	b.late = ascood.Errorf(timedOut, "the upload is too slow: every %d bytes of it must arrive within %v", stepBytes, b.server.stepTimeout)
	if deadline.After(b.end) {
		deadline = b.end
		b.late = ascood.Errorf(timedOut, "the upload took too long: all of it must arrive within %v", b.server.config.Timeout)
	}
	// This fails where there is no connection, hence no slow one, and on a closed
	// one, of which the read that follows tells.
	_ = b.conn.SetReadDeadline(deadline)
	return nil
}
