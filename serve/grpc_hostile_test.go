package serve

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"

	"github.com/ascood/ascood/serve/inference"
)

// stalledCall begins a call over HTTP/2, sends what is given, and no more until the test
// ends.
func stalledCall(t *testing.T, address, begin string) (answer chan *http.Response) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	read, write := io.Pipe()
	t.Cleanup(func() { write.Close() })
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+address+inference.GRPCInferenceService_ModelInfer_FullMethodName, read)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("Te", "trailers")
	answer = make(chan *http.Response, 1)
	go func() {
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Error(err)
		}
		answer <- response
	}()
	if _, err := io.WriteString(write, begin); err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestGRPCStalledUploads: clients that do not send what they announce keep no other one
// out, and do not stay for the whole of the request's time.
func TestGRPCStalledUploads(t *testing.T) {
	l := listen(t)
	s := newServer(t, &fakeModel{}, func(c *Config) { c.GRPC, c.MaxQueue, c.MaxImages = l, 2, 2 })
	s.stepTimeout = time.Second
	serveOn(t, s)
	prefix := string(binary.BigEndian.AppendUint32([]byte{0}, 1<<20))
	var stalled []chan *http.Response
	for range 20 {
		stalled = append(stalled, stalledCall(t, l.Addr().String(), prefix+"some bytes and then no more"))
	}
	client := inference.NewGRPCInferenceServiceClient(connect(t, l.Addr().String(), plaintext))
	for range 3 {
		if _, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 255))); err != nil {
			t.Errorf("another client: %v", err)
		}
	}
	for _, answer := range stalled {
		r := <-answer
		if r == nil {
			continue
		}
		if r.Header.Get("Grpc-Status") != "4" || !strings.Contains(r.Header.Get("Grpc-Message"), "every%2032768%20bytes") {
			t.Errorf("status %d, %v", r.StatusCode, r.Header)
		}
	}
	wantNothingHeld(t, s)
}

// TestGRPCLies: bodies that are not what they say, or more than may be, are refused without
// memory for what they announce.
func TestGRPCLies(t *testing.T) {
	l := listen(t)
	var log syncBuilder
	s := newServer(t, &fakeModel{}, logTo(&log), func(c *Config) { c.GRPC, c.MaxBody = l, 1<<20 })
	serveOn(t, s)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	for name, tt := range map[string]struct {
		body   io.Reader
		status string // of gRPC
	}{
		"nothing":                {strings.NewReader(""), "13"},
		"a part of a prefix":     {strings.NewReader("\x00\x00"), "13"},
		"4 GB announced":         {strings.NewReader("\x00\xff\xff\xff\xffabc"), "8"},
		"less than is announced": {strings.NewReader("\x00\x00\x00\x00\x10abc"), "13"},
		"two messages":           {strings.NewReader("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "13"},
		"packed":                 {strings.NewReader("\x01\x00\x00\x00\x03abc"), "13"},
		"100 MB":                 {&endless{left: 100 << 20}, "8"},
	} {
		used := allocated(func() {
			r, err := http.NewRequest("POST", "http://"+l.Addr().String()+inference.GRPCInferenceService_ModelInfer_FullMethodName, struct{ io.Reader }{tt.body})
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/grpc")
			response, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer response.Body.Close()
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if status := response.Header.Get("Grpc-Status") + response.Trailer.Get("Grpc-Status"); status != tt.status {
				t.Errorf("%s: status %q, %v, %v", name, status, response.Header, response.Trailer)
			}
		})
		if used > 16<<20 {
			t.Errorf("%s: allocated %d bytes", name, used)
		}
	}
	wantNothingHeld(t, s)
	for _, want := range []string{`"code":"invalid","error":"grpc: received message larger than max (4294967295 vs. 1048576)"`, `"code":"too_large","error":"the request is larger`} {
		eventually(t, "the log", func() bool { return strings.Contains(log.String(), want) })
	}
}

// TestGRPCOtherProtocols: who takes the port for another one is told.
func TestGRPCOtherProtocols(t *testing.T) {
	l := listen(t)
	s := newServer(t, &fakeModel{}, func(c *Config) { c.GRPC = l })
	serveOn(t, s)
	for _, tt := range []struct {
		request string
		status  int
		part    string
	}{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusMethodNotAllowed, "invalid gRPC request method"},
		{"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", http.StatusUnsupportedMediaType, "invalid gRPC request content-type"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n", http.StatusHTTPVersionNotSupported, "gRPC requires HTTP/2"},
		{"nonsense, and more of it\r\n\r\n", http.StatusBadRequest, ""},
	} {
		c := dial(t, l.Addr().String())
		fmt.Fprint(c, tt.request)
		c.wantAnswer(tt.status, tt.part)
	}
	wantNothingHeld(t, s)
}

// TestGRPCResets: who opens streams and ends them at once, over and over, takes no memory
// for it and keeps nobody out.
func TestGRPCResets(t *testing.T) {
	l := listen(t)
	s := newServer(t, &fakeModel{}, func(c *Config) { c.GRPC = l })
	serveOn(t, s)
	c := dial(t, l.Addr().String())
	io.WriteString(c, http2.ClientPreface)
	var frames bytes.Buffer
	f := http2.NewFramer(&frames, nil)
	f.WriteSettings()
	for id := uint32(1); id < 20_000; id += 2 {
		// :method POST, :scheme http, :path /, by HPACK's static table.
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x83, 0x86, 0x84}, EndHeaders: true})
		f.WriteRSTStream(id, http2.ErrCodeCancel)
	}
	go c.Write(frames.Bytes())
	go io.Copy(io.Discard, c)
	client := inference.NewGRPCInferenceServiceClient(connect(t, l.Addr().String(), plaintext))
	for range 10 {
		if _, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 255)), grpc.WaitForReady(true)); err != nil {
			t.Error(err)
		}
	}
	c.Close()
	eventually(t, "the streams to end", func() bool { return s.metrics.inFlight.Load() == 0 })
	wantNothingHeld(t, s)
}

// TestSlowHeaders: connections that send no header, or a part of one, are closed when the
// time for it is over, on either port, and take little memory until then; others are served.
func TestSlowHeaders(t *testing.T) {
	const clients, each = 200, 64 << 10
	l := listen(t)
	s := newServer(t, &fakeModel{}, func(c *Config) { c.GRPC = l })
	s.headerTimeout = 500 * time.Millisecond
	address := serveOn(t, s)
	client := inference.NewGRPCInferenceServiceClient(connect(t, l.Addr().String(), plaintext))
	ask := func() {
		if status := postImage(t, address); status != http.StatusOK {
			t.Errorf("another client got status %d", status)
		}
		if _, err := client.ModelInfer(t.Context(), filesRequest(grayPNG(t, 255))); err != nil {
			t.Errorf("another client: %v", err)
		}
	}
	ask()
	for name, tt := range map[string]struct{ address, begin, drip string }{
		"HTTP, silent":              {address, "", ""},
		"HTTP, a part":              {address, "POST /v1/score HTTP/1.1\r\nHost: x\r\n", ""},
		"HTTP, a header at a time":  {address, "POST /v1/score HTTP/1.1\r\n", "X: a\r\n"},
		"gRPC, silent":              {l.Addr().String(), "", ""},
		"gRPC, a part":              {l.Addr().String(), http2.ClientPreface[:10], ""},
		"gRPC, over HTTP/1":         {l.Addr().String(), "POST / HTTP/1.1\r\n", "X: a\r\n"},
		"gRPC, nothing but preface": {l.Addr().String(), http2.ClientPreface, ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := inUse()
			var slow []*sender
			for range clients {
				c := dial(t, tt.address)
				fmt.Fprint(c, tt.begin)
				slow = append(slow, c)
			}
			start := time.Now()
			ask()
			if used := inUse() - before; used > clients*each {
				t.Errorf("%d clients take %d bytes", clients, used)
			}
			if tt.drip != "" {
				go func() {
					for range 50 {
						for _, c := range slow {
							c.Write([]byte(tt.drip))
						}
						time.Sleep(100 * time.Millisecond)
					}
				}()
			}
			for _, c := range slow { // until the server hangs up
				if _, err := io.Copy(io.Discard, c.Conn); err != nil && strings.Contains(err.Error(), "timeout") {
					t.Fatal("a client is still there")
				}
			}
			t.Logf("%d clients are gone after %v", clients, time.Since(start))
			ask()
		})
	}
	wantNothingHeld(t, s)
}

// inUse is how much memory is in use when what nobody uses has been collected: objects and
// stacks.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
