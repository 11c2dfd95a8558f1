// SPDX-License-Identifier: MIT
// Copyright (c) The StorageOS Volume Sync Controller authors

package simulator

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"time"
)

// Request is what is remembered of one request. No token or password is.
type Request struct {
	Time        time.Time `json:"time"` // of arrival, on the simulator's clock
	Call        Call      `json:"call"`
	Method      string    `json:"method"`
	Path        string    `json:"path"`
	NamespaceID string    `json:"namespaceID,omitempty"` // if the path names one
	VolumeID    string    `json:"volumeID,omitempty"`    // if the path names one
	Status      int       `json:"status"`                // 0: not answered yet, or cut off before the header
	Done        bool      `json:"done"`                  // the handler has finished, whole or cut off
}

// Stats count requests since the start or the last ResetStats.
type Stats struct {
	Requests map[Call]int         `json:"requests"` // arrived
	Statuses map[int]int          `json:"statuses"` // answered; 0: cut off before the header
	Answers  map[Call]map[int]int `json:"answers"`  // the same, for each call
	InFlight int                  `json:"inFlight"` // arrived and not finished

	// MaxConcurrentLogins is the highest number of logins that were in flight
	// at one time.
	MaxConcurrentLogins int `json:"maxConcurrentLogins"`
}

// Total returns how many requests arrived.
func (s Stats) Total() int {
	total := 0
	for _, n := range s.Requests {
		total += n
	}
	return total
}

func (s Stats) clone() Stats {
	s.Requests = maps.Clone(s.Requests)
	s.Statuses = maps.Clone(s.Statuses)
	answers := make(map[Call]map[int]int, len(s.Answers))
	for call, counts := range s.Answers {
		answers[call] = maps.Clone(counts)
	}
	s.Answers = answers
	return s
}

// recorder remembers requests.
type recorder struct {
	mu      sync.Mutex
	limit   int
	log     []*Request
	stats   Stats
	logins  int           // in flight
	changed chan struct{} // closed, and replaced, whenever something changes
}

func (r *recorder) init(limit int) {
	r.limit = limit
	r.changed = make(chan struct{})
	r.reset()
}

func (r *recorder) reset() {
	r.log = nil
	r.stats = Stats{
		Requests: map[Call]int{}, Statuses: map[int]int{}, Answers: map[Call]map[int]int{},
		InFlight: r.stats.InFlight, MaxConcurrentLogins: r.logins,
	}
}

// Stats returns the counts so far.
func (s *Simulator) Stats() Stats {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	return s.recorder.stats.clone()
}

// ResetStats forgets the counts and the log.
func (s *Simulator) ResetStats() {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.recorder.reset()
}

// Log returns the requests in the order of their arrival, the newest
// Options.LogLimit of them.
func (s *Simulator) Log() []Request {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	newest := s.recorder.log[max(0, len(s.recorder.log)-s.recorder.limit):]
	log := make([]Request, 0, len(newest))
	for _, request := range newest {
		log = append(log, *request)
	}
	return log
}

// Wait returns once condition holds for the counts, or with the context's error.
// It sleeps between changes of the counts, so a test needs no polling.
func (s *Simulator) Wait(ctx context.Context, condition func(Stats) bool) error {
	for {
		s.recorder.mu.Lock()
		stats, changed := s.recorder.stats.clone(), s.recorder.changed
		s.recorder.mu.Unlock()
		if condition(stats) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// recorded wraps a handler so that what it does is remembered. A status counts
// before the client can see it.
func (s *Simulator) recorded(call Call, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := s.recorder.arrive(Request{
			Time: s.options.Now(), Call: call, Method: r.Method, Path: r.URL.Path,
			NamespaceID: r.PathValue("namespaceID"), VolumeID: r.PathValue("id"),
		})
		// Deferred, because a handler cuts its connection off by a panic.
		defer s.recorder.finish(request)
		next.ServeHTTP(&recordingWriter{ResponseWriter: w, status: func(status int) {
			s.recorder.answer(request, status)
		}}, r)
	})
}

func (r *recorder) arrive(request Request) *Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Requests[request.Call]++
	r.stats.InFlight++
	if request.Call == CallLogin {
		r.logins++
		r.stats.MaxConcurrentLogins = max(r.stats.MaxConcurrentLogins, r.logins)
	}
	if r.limit > 0 {
		// Twice the limit, so that the log is moved rarely.
		if len(r.log) >= 2*r.limit {
			r.log = append([]*Request(nil), r.log[len(r.log)-r.limit:]...)
		}
		r.log = append(r.log, &request)
	}
	r.broadcast()
	return &request
}

func (r *recorder) answer(request *Request, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(request, status)
	r.broadcast()
}

func (r *recorder) count(request *Request, status int) {
	request.Status = status
	r.stats.Statuses[status]++
	if r.stats.Answers[request.Call] == nil {
		r.stats.Answers[request.Call] = map[int]int{}
	}
	r.stats.Answers[request.Call][status]++
}

func (r *recorder) finish(request *Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if request.Status == 0 {
		r.count(request, 0)
	}
	request.Done = true
	r.stats.InFlight--
	if request.Call == CallLogin {
		r.logins--
	}
	r.broadcast()
}

func (r *recorder) broadcast() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// recordingWriter reports the status of an answer.
type recordingWriter struct {
	http.ResponseWriter
	status func(int)
	told   bool
}

func (w *recordingWriter) WriteHeader(status int) {
	if !w.told && status >= 200 {
		w.told = true
		w.status(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recordingWriter) Write(b []byte) (int, error) {
	if !w.told {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find Flush and Hijack.
func (w *recordingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
