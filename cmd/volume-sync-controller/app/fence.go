package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
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
	writes  sync.WaitGroup
}

// begin is nil if a write may begin. Whoever began one calls writes.Done.
func (f *fence) begin() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	age := max(now.Sub(f.renewed), now.Round(0).Sub(f.wall))
	if !f.given.IsZero() || age >= f.leaseDuration-fenceMargin {
		return errFenced
	}
	f.writes.Add(1)
	return nil
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
	f.mu.Lock()
	f.given = time.Now()
	f.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		f.writes.Wait()
		close(answered)
	}()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for writes that are on their way: %w", ctx.Err())
	}
}

// transport wraps the transport of every client that writes. Reads pass.
func (f *fence) transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet || req.Method == http.MethodHead {
			return next.RoundTrip(req)
		}
		if err := f.begin(); err != nil {
			if req.Body != nil {
				_ = req.Body.Close()
			}
			return nil, err
		}
		defer f.writes.Done()
		return next.RoundTrip(req)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// fencedLock is the lock of the election. It tells the fence of each renewal,
// closes it before the lease is given away, and remembers when the lease was
// last looked at.
type fencedLock struct {
	resourcelock.Interface
	fence  *fence
	looked atomic.Int64 // Unix nanoseconds
}

func (l *fencedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil || ctx.Err() == nil {
		l.looked.Store(time.Now().UnixNano())
	}
	return record, raw, err
}

func (l *fencedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	begun := time.Now()
	err := l.Interface.Create(ctx, r)
	if err == nil {
		l.fence.renew(begun)
	}
	return err
}

func (l *fencedLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if r.HolderIdentity != l.Identity() {
		if err := l.fence.close(ctx); err != nil {
			return err // not given away: it runs out
		}
		return l.Interface.Update(ctx, r)
	}
	begun := time.Now()
	err := l.Interface.Update(ctx, r)
	if err == nil {
		l.fence.renew(begun)
	}
	return err
}
