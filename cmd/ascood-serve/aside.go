package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/ascood/ascood"
	"github.com/ascood/ascood/serve"
	"github.com/ascood/ascood/serve/keys"
)

// access opens the files that say who may use the server.
func (o *options) access() (err error) {
	log := o.limits.Logger
	if o.keys != "" {
		if o.limits.Keys, err = keys.Open(o.keys, log); err != nil {
			return err
		}
	} else {
		for _, addr := range []string{o.addr, o.grpcAddr} {
			if addr != "" && !loopback(addr) {
				log.Warn("whoever reaches this address may use the server: --keys says who may", "addr", addr)
			}
		}
	}
	if o.cert != "" {
		o.limits.TLS, err = serve.TLS(o.cert, o.certKey, log)
	}
	return err
}

// asideTimeout is for the header of a request for metrics or profiles.
const asideTimeout = 10 * time.Second

// aside serves metrics and profiles on addresses of their own, until the function that it
// returns is called.
func (o *options) aside(server *serve.Server) (end func(), err error) {
	metrics, profiles := http.NewServeMux(), http.NewServeMux()
	metrics.Handle("GET /metrics", server.Metrics())
	profiles.HandleFunc("/debug/pprof/", pprof.Index)
	profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
	profiles.HandleFunc("/debug/pprof/trace", pprof.Trace)
	profiles.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	var servers []*http.Server
	end = func() {
		for _, s := range servers {
			_ = s.Close() // nobody waits for these
		}
	}
	for _, a := range []struct {
		flag, addr string
		handler    http.Handler
	}{{"metrics-addr", o.metricsAddr, metrics}, {"pprof-addr", o.pprofAddr, profiles}} {
		if a.addr == "" {
			continue
		}
		l, err := net.Listen("tcp", a.addr)
		if err != nil {
			end()
			return nil, ascood.Errorf(ascood.Unavailable, "%w; --%s chooses another address", err, a.flag)
		}
		s := &http.Server{Handler: a.handler, ReadHeaderTimeout: asideTimeout, IdleTimeout: time.Minute}
		servers = append(servers, s)
		o.limits.Logger.Info("listening aside", "for", a.flag, "addr", l.Addr().String())
		go func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				o.limits.Logger.Error("no longer listening aside", "for", a.flag, "error", err.Error())
			}
		}()
	}
	return end, nil
}
