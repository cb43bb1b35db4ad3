package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// outcome is what became of the requests of a measurement.
type outcome struct {
	mu       sync.Mutex
	latency  []time.Duration // of those that got a verdict
	rejected int             // told to try again
	late     int             // no verdict within the timeout, or another failure
	elapsed  time.Duration
}

func (o *outcome) rate() float64 { return float64(len(o.latency)) / o.elapsed.Seconds() }

// String is what a line of a benchmark says of it.
func (o *outcome) String() string {
	slices.Sort(o.latency)
	at := func(share float64) float64 {
		if len(o.latency) == 0 {
			return 0
		}
		return o.latency[int(share*float64(len(o.latency)-1))].Seconds() * 1000
	}
	return fmt.Sprintf("%.1f images/s %.0f p50-ms %.0f p99-ms %d rejected %d late", o.rate(), at(0.5), at(0.99), o.rejected, o.late)
}

// ask sends one image.
func (o *outcome) ask(ctx context.Context, client *http.Client, url string, file []byte) {
	start := time.Now()
	status := 0
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/score", bytes.NewReader(file))
	if err == nil {
		request.Header.Set("Expect", "100-continue") // a refusal costs no upload
		var response *http.Response
		if response, err = client.Do(request); err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			status = response.StatusCode
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil && status == http.StatusOK:
		o.latency = append(o.latency, time.Since(start))
	case err == nil && status == http.StatusServiceUnavailable:
		o.rejected++
	default:
		o.late++
	}
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, ExpectContinueTimeout: time.Minute}}
}

// closed has a number of clients send one image after another.
func closed(ctx context.Context, url string, files [][]byte, clients int, duration time.Duration) *outcome {
	var o outcome
	client := newClient()
	defer client.CloseIdleConnections()
	start := time.Now()
	var next atomic.Int64
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for time.Since(start) < duration && ctx.Err() == nil {
				o.ask(ctx, client, url, files[int(next.Add(1))%len(files)])
			}
		})
	}
	group.Wait()
	o.elapsed = time.Since(start)
	return &o
}

// open sends a number of images a second, whatever comes back. What is sent in the last
// moments is answered later: the rate is that of the time until all is answered.
func open(ctx context.Context, url string, files [][]byte, rate float64, opt options) *outcome {
	var o outcome
	client := newClient()
	defer client.CloseIdleConnections()
	start := time.Now()
	var group sync.WaitGroup
	for n := 0; time.Since(start) < opt.duration && ctx.Err() == nil; n++ {
		time.Sleep(time.Until(start.Add(time.Duration(float64(n) / rate * float64(time.Second)))))
		group.Go(func() { o.ask(ctx, client, url, files[n%len(files)]) })
	}
	group.Wait()
	o.elapsed = time.Since(start)
	return &o
}
