package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows how many of total images are done, with the rate and the time
// left: by a bar if w is a terminal, elsewhere by a line a minute. The returned
// functions add to it and end it.
func Progress(w io.Writer, total int, what string) (add func(n int), finish func()) {
	if !IsTerminal(w) {
		return progressLines(w, total, what, time.Minute), func() {}
	}
	bar := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("images"),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	return func(n int) { bar.Add(n) }, func() { bar.Finish() }
}

// progressLines writes a line each time so much has passed.
func progressLines(w io.Writer, total int, what string, every time.Duration) (add func(n int)) {
	start := time.Now()
	next, done := start.Add(every), 0
	return func(n int) {
		done += n
		now := time.Now()
		if now.Before(next) {
			return
		}
		next = now.Add(every)
		rate := float64(done) / now.Sub(start).Seconds()
		left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(w, "%s: %d of %d images, %.3g images/s, %v left\n", what, done, total, rate, left)
	}
}

// IsTerminal reports whether w is one.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
