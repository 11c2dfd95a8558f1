package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// errLeaseLost ends the process: whoever holds the lease now may be writing.
var errLeaseLost = errors.New("the lease was lost")

// fencedLock is the lock of the election. It tells the fence of each renewal,
// closes it before the lease is given away, and remembers when the lease was
// last looked at.
//
// client-go's elector, once it has led, takes a lease that it finds emptied, and
// makes one anew that it finds deleted. This lock does not let it: who reads that
// somebody else or nobody holds what was ours has lost it, and stays out.
type fencedLock struct {
	resourcelock.Interface
	fence  *fence
	looked atomic.Int64 // Unix nanoseconds
	// second is a lock on the same lease, for looks beside the elector's own: each
	// remembers the version that it saw last, and the elector must not write over a
	// version that it has not seen.
	second resourcelock.Interface
	onLost func() // is called once; nil if nobody wants to know

	mu     sync.Mutex
	held   bool // by us, as far as we know
	giving bool // it is being given back
	lost   bool
}

func (l *fencedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if l.isLost() {
		return nil, nil, errLeaseLost
	}
	record, raw, err := l.Interface.Get(ctx)
	if err == nil || ctx.Err() == nil {
		l.looked.Store(time.Now().UnixNano())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.read(ctx, record, err); err != nil {
		return nil, nil, err
	}
	return record, raw, nil
}

// look asks who holds the lease, beside the elector, because the watch says that it is
// not ours. The watch may lag behind, and it may be right: until that is known, or the
// lease is renewed, writes wait. What it reads ends a leadership as what the elector
// reads does.
func (l *fencedLock) look(ctx context.Context) {
	l.mu.Lock()
	ours := l.held && !l.giving && !l.lost
	if ours {
		l.fence.hesitate()
	}
	l.mu.Unlock()
	if !ours {
		return
	}
	record, _, err := l.second.Get(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held && !l.giving { // or it is we who let it go
		_ = l.read(ctx, record, err) // the elector asks again
	}
}

// read draws the conclusions from what is known of the lease. It is to be called with
// the mutex held.
func (l *fencedLock) read(ctx context.Context, record *resourcelock.LeaderElectionRecord, err error) error {
	switch {
	case l.lost:
		return errLeaseLost
	case apierrors.IsNotFound(err):
		if l.held {
			return l.lose(ctx, "there is none")
		}
		return err
	case err != nil:
		return err // who holds it is not known
	case record.HolderIdentity == l.Identity():
		l.fence.sure()
	case l.held && record.HolderIdentity == "":
		return l.lose(ctx, "nobody holds it")
	case l.held:
		return l.lose(ctx, "another holds it: "+record.HolderIdentity)
	}
	return nil
}

// lose is to be called with the mutex held.
func (l *fencedLock) lose(ctx context.Context, why string) error {
	if !l.lost {
		l.lost = true
		l.fence.lose()
		klog.FromContext(ctx).Info("The lease is ours no more: no write begins from now on", "why", why)
		if l.onLost != nil {
			l.onLost()
		}
	}
	return errLeaseLost
}

func (l *fencedLock) isLost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *fencedLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	if l.isLost() {
		return errLeaseLost
	}
	begun := time.Now()
	return l.wrote(ctx, begun, l.Interface.Create(answered(ctx), r))
}

func (l *fencedLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	switch {
	case l.isLost():
		return errLeaseLost
	case r.HolderIdentity != l.Identity():
		return l.giveBack(ctx, r)
	}
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	asking := ctx
	if !held {
		asking = answered(ctx)
	}
	begun := time.Now()
	return l.wrote(ctx, begun, l.Interface.Update(asking, r))
}

// answered is for taking the lease: who is asked to stop meanwhile waits for the answer, for no
// longer than the client does. Without it nobody would know that the lease is ours, nor give it
// back, and others would wait until it runs out.
func answered(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

// wrote draws the conclusions from a write of the lease for ourselves.
func (l *fencedLock) wrote(ctx context.Context, begun time.Time, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lost:
		return errLeaseLost
	case err == nil:
		l.held, l.giving = true, false
		l.fence.renew(begun)
		l.fence.sure()
	case l.held && apierrors.IsNotFound(err):
		return l.lose(ctx, "there is none")
	case l.held && apierrors.IsConflict(err):
		// Somebody has written it, or our last renewal came and its answer did
		// not. The elector looks at once; until then writes wait.
		l.fence.hesitate()
	}
	return err
}

// giveBack gives the lease away, if writes have ended in time. If not, it runs out.
func (l *fencedLock) giveBack(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	l.mu.Lock()
	l.giving = true
	l.mu.Unlock()
	if err := l.fence.close(ctx); err != nil {
		return err
	}
	err := l.Interface.Update(ctx, r)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = false
	}
	return err
}
