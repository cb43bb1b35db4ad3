package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve/inference"
	"github.com/ascood/ascood/serve/rpc"
	"github.com/ascood/ascood/serve/scoring"
)

// gRPC, on an address of its own. Its requests are HTTP/2's and go the way of all others:
// ids, the log, keys, deadlines, and uploads within their pace and memory. What is gRPC's
// alone, messages and statuses, is grpc-go's.

const mimeGRPC = "application/grpc"

// anyRoute is that of methods that there are not.
const anyRoute = "/*"

// grpcHandler answers gRPC.
func (s *Server) grpcHandler() http.Handler {
	server := grpc.NewServer(grpc.UnaryInterceptor(unary), grpc.StreamInterceptor(stream), grpc.MaxRecvMsgSize(int(s.config.MaxBody)))
	inference.RegisterGRPCInferenceServiceServer(server, rpc.New(s.models, s.config.MaxImages, s.isReady))
	grpc_health_v1.RegisterHealthServer(server, newGRPCHealth(s.isReady))
	e := echo.New()
	e.HTTPErrorHandler = writeStatus
	e.Use(withRequestID, s.withTrace, s.withLog, withRecover, s.withKey)
	for service, info := range server.GetServiceInfo() {
		for _, method := range info.Methods {
			limit := s.withDeadline
			if method.IsServerStream {
				limit = s.untilClosing
			}
			e.POST("/"+service+"/"+method.Name, s.call(server), limit)
		}
	}
	e.Any(anyRoute, s.call(server), s.withDeadline) // refuses what is none of these
	return e
}

// isCall tells a gRPC request from others.
func isCall(c echo.Context) bool {
	r := c.Request()
	return r.ProtoMajor >= 2 && strings.HasPrefix(r.Header.Get(echo.HeaderContentType), mimeGRPC)
}

// call reads a request and has grpc-go answer it, which would read on whatever the memory
// and the time that it takes.
func (s *Server) call(server http.Handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		w, r := c.Response(), c.Request()
		if !isCall(c) {
			server.ServeHTTP(w, r) // says so
			return nil
		}
		if c.Path() == inference.GRPCInferenceService_ModelInfer_FullMethodName {
			s.metrics.inFlight.Add(1)
			defer s.metrics.inFlight.Add(-1)
			if err := s.models.Full(r.Context()); err != nil {
				return err
			}
		}
		body := s.limitBody(w.Writer, r)
		release := sync.OnceFunc(body.release)
		defer release()
		data, err := s.readBody(w.Writer, r)
		if err != nil {
			return err
		}
		o := &outcome{request: r, release: release}
		answered := r.WithContext(context.WithValue(r.Context(), outcomeKey{}, o))
		answered.Body = &upOnce{data}
		server.ServeHTTP(w, answered)
		switch err, status := o.get(c), grpcStatus(c); {
		case err != nil || status == codes.OK.String():
			return err
		case status == "": // it gave up with the context
			return context.Cause(r.Context())
		default: // it refused the message or the method
			return ascood.Errorf(ascood.Invalid, "%s", grpcMessage(c))
		}
	}
}

// upOnce is a body in memory that it lets go of as soon as it has been read.
type upOnce struct{ data []byte }

func (o *upOnce) Read(p []byte) (int, error) {
	n := copy(p, o.data)
	if o.data = o.data[n:]; n == 0 {
		o.data = nil
		return 0, io.EOF
	}
	return n, nil
}

func (o *upOnce) Close() error { return nil }

// outcome is what became of a call, for the log. A call that is given up may end after its
// answer.
type outcome struct {
	request *http.Request
	release func() // the memory of its upload

	mu     sync.Mutex
	err    error
	images int
}

type outcomeKey struct{}

// get returns the error, and tells the log how many images there were.
func (o *outcome) get(c echo.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.images > 0 {
		c.Set(imagesKey, o.images)
	}
	return o.err
}

func (o *outcome) note(err error, images int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err, o.images = err, images
}

// tell notes an error and returns what the client is told of it. Those that have a status
// already are of grpc-go's own services.
func (o *outcome) tell(ctx context.Context, err error) error {
	if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok || err == nil {
		return err
	}
	err = classify(err, o.request)
	o.note(err, 0)
	return statusError(ctx, err)
}

// unary is around each call: a panic is its failure alone, and nothing of its upload is
// held any more when the answer is written.
func unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	err = scoring.Guard(func() (err error) {
		answer, err = handler(ctx, request)
		return err
	})
	o := ctx.Value(outcomeKey{}).(*outcome)
	o.release()
	if m, ok := request.(*inference.ModelInferRequest); ok && err == nil {
		o.note(nil, int(m.Inputs[0].Shape[0]))
	}
	return answer, o.tell(ctx, err)
}

// stream is unary for calls of several answers.
func stream(service any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	err := scoring.Guard(func() error { return handler(service, s) })
	if context.Cause(s.Context()) == errClosing {
		err = errClosing
	}
	return s.Context().Value(outcomeKey{}).(*outcome).tell(s.Context(), err)
}

// untilClosing has a stream of answers go on until the client leaves or the door closes.
func (s *Server) untilClosing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		// This fails where there is no connection.
		conn := http.NewResponseController(c.Response().Writer)
		_ = conn.SetReadDeadline(time.Time{})
		_ = conn.SetWriteDeadline(time.Time{})
		ctx, cancel := context.WithCancelCause(c.Request().Context())
		defer cancel(nil)
		defer context.AfterFunc(s.closing, func() { cancel(errClosing) })()
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// grpcServer is an HTTP server for gRPC.
func (s *Server) grpcServer() *http.Server {
	server := s.httpServer(s.grpcHandler())
	server.TLSNextProto = nil
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true) // to be told that it is the wrong one
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	server.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          maxStreams,
		MaxReceiveBufferPerConnection: receiveBuffer,
		MaxReceiveBufferPerStream:     receiveBuffer,
		SendPingTimeout:               pingInterval,
	}
	if s.config.TLS != nil {
		server.TLSConfig = s.config.TLS.Clone()
		server.TLSConfig.NextProtos = nil // by Protocols
	}
	// Before it knows the protocol, net/http waits for any time.
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			_ = c.SetReadDeadline(time.Now().Add(s.headerTimeout))
		}
	}
	return server
}

// Limits of a connection of HTTP/2.
const (
	maxStreams    = 100
	receiveBuffer = 256 << 10        // bytes of uploads that wait to be read, of all its streams
	pingInterval  = 30 * time.Second // of silence, after which the other side must answer
)
