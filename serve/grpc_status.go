package serve

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/keys"
	"github.com/ascood/ascood/serve/scoring"
)

// grpcCodes are statuses for gRPC.
var grpcCodes = map[ascood.Code]codes.Code{
	ascood.Invalid:     codes.InvalidArgument,
	ascood.TooLarge:    codes.ResourceExhausted, // as grpc-go has it of messages
	ascood.Unsupported: codes.InvalidArgument,
	ascood.Busy:        codes.Unavailable,
	ascood.Unavailable: codes.Unavailable,
	ascood.Internal:    codes.Internal,
	keys.Unauthorized:  codes.Unauthenticated,
	keys.RateLimited:   codes.ResourceExhausted,
	scoring.NotFound:   codes.NotFound,
	methodNotAllowed:   codes.Unimplemented,
	timedOut:           codes.DeadlineExceeded,
	canceled:           codes.Canceled,
}

// grpcCode is a status for any error.
func grpcCode(err error) codes.Code {
	if busy, ok := errors.AsType[*scoring.BusyError](err); ok && busy.Reason == "timeout" {
		return codes.DeadlineExceeded
	}
	if code, ok := grpcCodes[ascood.CodeOf(err)]; ok {
		return code
	}
	return codes.Internal
}

// errClosing is for streams of answers at shutdown.
var errClosing = ascood.Errorf(ascood.Unavailable, "shutting down")

// The metadata by which a server tells when to try again, in milliseconds: gRPC's proposal
// A6, "client retries".
const pushbackKey = "grpc-retry-pushback-ms"

// statusError is what a client is told of an error.
func statusError(ctx context.Context, err error) error {
	if busy, ok := errors.AsType[*scoring.BusyError](err); ok {
		// This fails where there is no call any more.
		_ = grpc.SetTrailer(ctx, metadata.Pairs(pushbackKey, pushback(busy.After)))
	}
	return status.Error(grpcCode(err), public(err).Message)
}

func pushback(after time.Duration) string {
	return strconv.FormatInt(max(after, time.Second).Milliseconds(), 10)
}

// writeStatus is echo's error handler for calls that grpc-go has not answered. What is no
// call is told in HTTP.
func writeStatus(err error, c echo.Context) {
	h := c.Response().Header()
	if grpcStatus(c) != "" {
		return
	}
	if !isCall(c) {
		writeError(err, c)
		return
	}
	if busy, ok := errors.AsType[*scoring.BusyError](err); ok {
		h.Set(pushbackKey, pushback(busy.After))
	}
	h.Set("Grpc-Status", strconv.Itoa(int(grpcCode(err))))
	h.Set("Grpc-Message", url.PathEscape(public(err).Message))
	if !c.Response().Committed { // or else these are trailers
		h.Set(echo.HeaderContentType, mimeGRPC)
		c.Response().WriteHeader(http.StatusOK)
	}
}

// grpcMessage is what a client was told.
func grpcMessage(c echo.Context) string {
	encoded := c.Response().Header().Get("Grpc-Message")
	if message, err := url.PathUnescape(encoded); err == nil {
		return message
	}
	return encoded
}

// grpcStatus is the status of a call, "" before it has one.
func grpcStatus(c echo.Context) string {
	code, err := strconv.Atoi(c.Response().Header().Get("Grpc-Status"))
	if err != nil {
		return ""
	}
	return codes.Code(code).String()
}
