package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	phase   atomic.Int32
	entered atomic.Int64 // when the phase began, Unix nanoseconds
	ready   atomic.Bool
	// When the loop that the phase depends on was last seen to turn, and for
	// how long it may stand still.
	polled  func() time.Time
	pollMax time.Duration
	looked  func() time.Time
	lookMax time.Duration
}

func (h *health) enter(p phase) {
	h.entered.Store(time.Now().UnixNano())
	h.phase.Store(int32(p))
}

// live is an error if a restart would help. A StorageOS API that is away is
// none: a restart would not bring it back.
func (h *health) live() error {
	switch phase(h.phase.Load()) {
	case leading:
		return h.stood("no request of a listing of StorageOS has begun or ended", h.polled(), h.pollMax)
	case standby:
		return h.stood("the lease was not looked at", h.looked(), h.lookMax)
	default:
		return nil
	}
}

// stood is an error if a loop stands still for too long. Its time begins with
// the phase: what was before says nothing of it.
func (h *health) stood(what string, last time.Time, most time.Duration) error {
	if begun := time.Unix(0, h.entered.Load()); begun.After(last) {
		last = begun
	}
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

// handler serves metrics, probes and, if wanted, profiles.
func (h *health) handler(profiling bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	mux.Handle("GET /livez", probe(h.live))
	mux.Handle("GET /healthz", probe(h.live))
	mux.Handle("GET /readyz", probe(h.readiness))
	if profiling {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
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
