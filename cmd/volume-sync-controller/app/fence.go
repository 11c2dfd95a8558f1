package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// fenceMargin is what is left of the lease when the fence closes: time for the
// writes that are on their way.
const fenceMargin = time.Second

// errFenced is the error of a write that came too late.
var errFenced = errors.New("the lease was not renewed in time: another process may be writing")

// fence lets no write to Kubernetes begin unless the lease is known to be ours:
// a process that was frozen must not wake up as a second writer.
type fence struct {
	leaseDuration time.Duration

	mu      sync.Mutex
	renewed time.Time // begin of the last renewal that was answered
	wall    time.Time // the same by the wall clock, which goes on while the machine sleeps
	given   time.Time // when the lease was given back, zero while it is not
	lost    bool      // it was seen not to be ours any more
	writes  int       // on their way
	// ended is there while somebody waits until no write is on its way, and is closed then.
	ended chan struct{}
	// doubt is there from the answer, or the word of the watch, that somebody else has
	// written the lease until it is known who holds it: writes wait until it is closed.
	doubt chan struct{}
}

// begin is nil if a write may begin. Whoever began one calls end.
func (f *fence) begin(ctx context.Context) error {
	for {
		doubt, left, err := f.tryBegin()
		if err != nil || doubt == nil {
			return err
		}
		select {
		case <-doubt:
		case <-time.After(left):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryBegin begins a write if none of it is in doubt. If it is, left is the time for
// which a write may wait for the doubt's end.
func (f *fence) tryBegin() (doubt <-chan struct{}, left time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	age := f.age()
	switch most := f.leaseDuration - fenceMargin; {
	case f.lost || !f.given.IsZero() || age >= most:
		return nil, 0, errFenced
	case f.doubt != nil:
		return f.doubt, most - age, nil
	}
	f.writes++
	return nil, 0, nil
}

// end says that a write which has begun is on its way no more.
func (f *fence) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes--
	f.tellEnded()
}

// over tells whether somebody else may be writing. To the writes for whose end the giving
// back of the lease waits, it is not over.
func (f *fence) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lost || f.age() >= f.leaseDuration-fenceMargin
}

// age is the time since the last renewal. It is to be called with the mutex held.
func (f *fence) age() time.Duration {
	now := time.Now()
	return max(now.Sub(f.renewed), now.Round(0).Sub(f.wall))
}

// lose closes the fence for good, and does not wait for the writes on their way:
// somebody else may be writing already.
func (f *fence) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = true
	f.endDoubt()
}

// hesitate holds writes back until sure or lose is called.
func (f *fence) hesitate() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.doubt == nil && !f.lost {
		f.doubt = make(chan struct{})
	}
}

// sure says that the lease was seen to be ours. That renews nothing.
func (f *fence) sure() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.endDoubt()
}

// endDoubt is to be called with the mutex held.
func (f *fence) endDoubt() {
	if f.doubt != nil {
		close(f.doubt)
		f.doubt = nil
	}
}

// renew opens the fence. A renewal that began before the lease was given back
// does not: only one that took it again.
func (f *fence) renew(begun time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if begun.Before(f.given) || !begun.After(f.renewed) {
		return
	}
	f.renewed, f.wall, f.given = begun, begun.Round(0), time.Time{}
}

// close lets no write begin any more and waits for those that are on their way.
func (f *fence) close(ctx context.Context) error {
	select {
	case <-f.shut():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for writes that are on their way: %w", ctx.Err())
	}
}

// shut lets no write begin any more. What it returns is closed when none is on its way.
func (f *fence) shut() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.given = time.Now()
	if f.ended == nil {
		f.ended = make(chan struct{})
	}
	ended := f.ended
	f.tellEnded()
	return ended
}

// tellEnded is to be called with the mutex held.
func (f *fence) tellEnded() {
	if f.writes == 0 && f.ended != nil {
		close(f.ended)
		f.ended = nil
	}
}

// transport wraps the transport of every client that writes. Reads pass.
func (f *fence) transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			return next.RoundTrip(req)
		}
		if err := f.begin(req.Context()); err != nil {
			if req.Body != nil {
				_ = req.Body.Close()
			}
			return nil, err
		}
		defer f.end()
		return f.send(next, req)
	})
}

// send sends a write that has begun, unless somebody else may be writing before its first
// byte is on its way: it may wait for a connection, or be sent a second time on another.
func (f *fence) send(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	if req.Body == nil || req.Body == http.NoBody { // no write of ours is without one
		return next.RoundTrip(req)
	}
	refused := &atomic.Bool{}
	fenced := req.WithContext(req.Context()) // a transport must not change what it was given
	fenced.Body = &fencedBody{ReadCloser: req.Body, fence: f, refused: refused}
	if again := req.GetBody; again != nil {
		fenced.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &fencedBody{ReadCloser: body, fence: f, refused: refused}, err
		}
	}
	resp, err := next.RoundTrip(fenced)
	if err != nil && refused.Load() {
		err = errFenced
	}
	return resp, err
}

// fencedBody is the body of a write that may be sent only while the fence is open. No API
// server takes a write whose body does not come.
type fencedBody struct {
	io.ReadCloser
	fence   *fence
	refused *atomic.Bool // it was not sent
	begun   bool
}

func (b *fencedBody) Read(p []byte) (int, error) {
	if !b.begun && b.fence.over() {
		b.refused.Store(true)
		return 0, errFenced
	}
	b.begun = true
	return b.ReadCloser.Read(p)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
