package serve

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/keys"
	"github.com/ascood/ascood/serve/scoring"
)

// Codes that only HTTP has.
const (
	methodNotAllowed ascood.Code = "method_not_allowed"
	timedOut         ascood.Code = "timeout"  // the upload took too long
	canceled         ascood.Code = "canceled" // the client left; for the log, nobody reads the answer
)

// statuses is the one place where an error becomes an HTTP status; docs/http-api.md
// has the same table for clients.
var statuses = map[ascood.Code]int{
	ascood.Invalid:     http.StatusBadRequest,
	ascood.TooLarge:    http.StatusRequestEntityTooLarge,
	ascood.Unsupported: http.StatusUnsupportedMediaType,
	ascood.Busy:        http.StatusServiceUnavailable,
	ascood.Unavailable: http.StatusServiceUnavailable,
	ascood.Internal:    http.StatusInternalServerError,
	keys.Unauthorized:  http.StatusUnauthorized,
	keys.RateLimited:   http.StatusTooManyRequests,
	scoring.NotFound:   http.StatusNotFound,
	methodNotAllowed:   http.StatusMethodNotAllowed,
	timedOut:           http.StatusRequestTimeout,
	canceled:           499, // nginx's "client closed request"
}

// statusOf is an HTTP status for any code. A code without one is a mistake of
// ours.
func statusOf(code ascood.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Error is an error as clients see it.
type Error struct {
	Code    ascood.Code `json:"code"`
	Message string      `json:"message"`
}

// ErrorResponse is the body of every answer that is not a success.
type ErrorResponse struct {
	Error     Error  `json:"error"`
	RequestID string `json:"request_id"`
}

// public is what a client may know of an error.
func public(err error) Error {
	code := ascood.CodeOf(err)
	if code == ascood.Internal {
		return Error{code, "internal error; the server's log has the details under this request's id"}
	}
	return Error{code, err.Error()}
}

// writeError is echo's error handler.
func writeError(err error, c echo.Context) {
	response := c.Response()
	if response.Committed {
		return
	}
	e := public(err)
	status := statusOf(e.Code)
	if status == http.StatusServiceUnavailable {
		response.Header().Set(echo.HeaderRetryAfter, retryAfter(err))
	}
	if path := c.Request().URL.Path; path == "/v2" || strings.HasPrefix(path, "/v2/") {
		_ = c.JSON(status, v2Error{e.Message})
		return
	}
	// A failure to write means that the client has left.
	_ = c.JSON(status, ErrorResponse{e, requestID(c)})
}

// retryAfter is in how many seconds it is worth trying again: when what is in work now
// will be done, as far as that is known.
func retryAfter(err error) string {
	after := time.Second
	if busy, ok := errors.AsType[*scoring.BusyError](err); ok {
		after = max(after, busy.After)
	}
	return strconv.Itoa(int(math.Ceil(after.Seconds())))
}

// classify gives a code to the errors of echo, of the connection and of the
// request's context, and leaves all others as they are.
func classify(err error, r *http.Request) error {
	switch {
	case errors.As(err, new(*ascood.Error)):
		return err
	case errors.Is(err, echo.ErrNotFound):
		return ascood.Errorf(scoring.NotFound, "no such page: %.100q", r.URL.Path)
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return ascood.Errorf(methodNotAllowed, "method %.20q is not allowed here", r.Method)
	case errors.Is(err, context.DeadlineExceeded),
		// what waits for the request's end may cancel what follows from it before that hears of the deadline
		errors.Is(err, context.Canceled) && errors.Is(r.Context().Err(), context.DeadlineExceeded):
		return scoring.NewBusy("timeout", 0, "no result in time: the server is busy")
	case errors.Is(err, context.Canceled), errors.As(err, new(*net.OpError)):
		return ascood.Errorf(canceled, "the client left")
	}
	return err
}

// uploadError gives a code to what goes wrong while a request's body is read.
func uploadError(err error, r *http.Request) error {
	busy, isBusy := errors.AsType[*scoring.BusyError](err)
	ours, isOurs := errors.AsType[*ascood.Error](err)
	tooLarge, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case isBusy:
		return busy
	case isOurs:
		return ours // less what the reader of forms wrapped it in
	case isTooLarge:
		return bodyTooLarge(tooLarge.Limit)
	case errors.Is(err, io.ErrUnexpectedEOF): // the client may still listen
		return ascood.Errorf(ascood.Invalid, "the upload ended early")
	case r.Context().Err() != nil:
		return r.Context().Err()
	}
	return ascood.Errorf(ascood.Invalid, "the upload cannot be read: %w", err)
}

func bodyTooLarge(limit int64) error {
	return ascood.Errorf(ascood.TooLarge, "the request is larger than the limit of %d bytes", limit)
}
