package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
)

// phase is how far this process has come.
type phase int32

const (
	starting phase = iota // waits for a login, the CRD, the caches
	standby               // waits for the lease
	leading               // lists and writes
)

// health answers the probes.
type health struct {
	phase atomic.Int32
	// alive is when the loop that the phase depends on was last seen to turn,
	// and how long it may stand still.
	polled  func() time.Time
	pollMax time.Duration
	looked  func() time.Time
	lookMax time.Duration
	ready   atomic.Bool
}

func (h *health) enter(p phase) { h.phase.Store(int32(p)) }

// live is an error if a restart would help. A StorageOS API that is away is
// none: a restart would not bring it back.
func (h *health) live() error {
	switch phase(h.phase.Load()) {
	case leading:
		return stood("no listing of StorageOS was tried and no byte received", h.polled(), h.pollMax)
	case standby:
		return stood("the lease was not looked at", h.looked(), h.lookMax)
	default:
		return nil
	}
}

func stood(what string, last time.Time, most time.Duration) error {
	if d := time.Since(last); d > most {
		return fmt.Errorf("%s for %v", what, d.Round(time.Second))
	}
	return nil
}

// readiness is an error before the caches are filled and a login has succeeded.
func (h *health) readiness() error {
	if !h.ready.Load() {
		return errors.New("waiting for a login, the CRD or the caches: see the log")
	}
	return nil
}

// serve serves metrics and probes until ctx ends.
func (h *health) serve(ctx context.Context, l net.Listener, profiling bool) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	mux.Handle("GET /livez", probe(h.live))
	mux.Handle("GET /healthz", probe(h.live))
	mux.Handle("GET /readyz", probe(h.readiness))
	writeTimeout := 30 * time.Second
	if profiling {
		writeTimeout = 5 * time.Minute // a profile takes as long as it is asked for
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
		klog.FromContext(ctx).Error(err, "Serving metrics and probes failed")
	}
}

func probe(check func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
}
