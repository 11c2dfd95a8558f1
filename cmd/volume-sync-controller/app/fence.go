package app

import (
	"context"
	"errors"
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
	given   bool      // the lease was given back
}

// check is nil while writes may begin.
func (f *fence) check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.given || time.Since(f.renewed) >= f.leaseDuration-fenceMargin {
		return errFenced
	}
	return nil
}

func (f *fence) renew(begun time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if begun.After(f.renewed) {
		f.renewed = begun
	}
}

func (f *fence) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.given = true
}

// transport wraps the transport of every client that writes. Reads pass.
func (f *fence) transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			if err := f.check(); err != nil {
				return nil, err
			}
		}
		return next.RoundTrip(req)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// fencedLock is the lock of the election. It tells the fence of each renewal,
// and closes it before the lease is given away, and remembers when the lease
// was last looked at.
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
		l.fence.close()
		return l.Interface.Update(ctx, r)
	}
	begun := time.Now()
	err := l.Interface.Update(ctx, r)
	if err == nil {
		l.fence.renew(begun)
	}
	return err
}
