package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// Progress shows how many of total images are done, as Status does. The returned
// functions add to it and end it.
func Progress(w io.Writer, total int, what string) (add func(n int), finish func()) {
	s, done := NewStatus(w, IsTerminal(w)), 0
	return func(n int) {
		done += n
		s.Show(done, total, what)
	}, s.Clear
}

// Status shows how many images are done, with the rate and the time left: in a line that
// is written over if w is a terminal, elsewhere by a line a minute.
type Status struct {
	w           io.Writer
	terminal    bool
	every       time.Duration // at least, between two lines
	start, next time.Time
}

// NewStatus begins to count the time.
func NewStatus(w io.Writer, terminal bool) *Status {
	now := time.Now()
	if terminal {
		return &Status{w: w, terminal: true, every: 100 * time.Millisecond, start: now, next: now}
	}
	return &Status{w: w, every: time.Minute, start: now, next: now.Add(time.Minute)}
}

// Show says how many of total images are done, and of what.
func (s *Status) Show(done, total int, what string) {
	now := time.Now()
	if done == 0 || now.Before(s.next) {
		return
	}
	s.next = now.Add(s.every)
	rate := float64(done) / now.Sub(s.start).Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	line := fmt.Sprintf("%s: %d of %d images, %v left, %.1f images/s", what, done, total, left, rate)
	if !s.terminal {
		fmt.Fprintln(s.w, line)
		return
	}
	s.Clear()
	io.WriteString(s.w, line[:min(len(line), columns(s.w)-1)])
}

// Clear leaves a terminal clean.
func (s *Status) Clear() {
	if s.terminal {
		io.WriteString(s.w, "\r\x1b[K") // to the start of the line, and erase to its end
	}
}

// columns is the width of a terminal: a longer line would go on in the next, which is not
// written over.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 1 {
			return width
		}
	}
	return 80
}

// IsTerminal reports whether w is one.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
