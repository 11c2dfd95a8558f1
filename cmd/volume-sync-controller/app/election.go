package app

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// newLock makes the lock of the election. Its client is its own, so that
// renewals wait neither behind other requests nor for longer than is of use.
func (s *server) newLock() error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("finding an identity for the election: %w", err)
	}
	config := rest.CopyConfig(s.config)
	config.WrapTransport = nil // the fence is for what the lease protects
	config.QPS = -1            // and a limit for what may wait
	config.Timeout = s.options.renewDeadline / 2
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client for the election: %w", err)
	}
	s.lock = &fencedLock{fence: s.fence}
	identity := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	for _, lock := range []*resourcelock.Interface{&s.lock.Interface, &s.lock.second} {
		*lock, err = resourcelock.New(resourcelock.LeasesResourceLock, s.namespace, component,
			client.CoreV1(), client.CoordinationV1(), identity)
		if err != nil {
			return fmt.Errorf("making the lock of the election: %w", err)
		}
	}
	s.health.looked = func() time.Time { return time.Unix(0, s.lock.looked.Load()) }
	s.health.lookMax = 3 * s.options.leaseDuration
	return nil
}

func (s *server) election() *election {
	return &election{
		lock:          s.lock,
		leaseDuration: s.options.leaseDuration,
		renewDeadline: s.options.renewDeadline,
		retryPeriod:   s.options.retryPeriod,
		enter:         s.health.enter,
		work:          s.work,
		watch:         s.watchLease,
	}
}

// election is this process's part in the election of one that works.
type election struct {
	lock                                      *fencedLock
	leaseDuration, renewDeadline, retryPeriod time.Duration
	enter                                     func(phase)
	work                                      func(context.Context) error // until its context ends
	watch                                     func(_ context.Context, held func(holder string))

	mu    sync.Mutex
	led   bool               // the work has begun
	left  bool               // asked to stop before it had
	woken bool               // to look at the lease at once
	rest  context.CancelFunc // ends the elector's present turn
}

// run takes part in the election and works while it leads. When ctx ends, a
// standby leaves at once; a leader gives the lease back after its last write.
func (e *election) run(ctx, base context.Context) error {
	candidacy, leave := context.WithCancel(base)
	defer leave()
	defer context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if !e.led {
			e.left = true
			leave()
		}
	})()

	e.lock.onLost = leave
	lock := &observedLock{
		Interface: e.lock, wake: e.wake,
		look:  func() { e.lock.look(candidacy) },
		watch: func(held func(string)) { go e.watch(candidacy, held) },
	}
	finished := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   e.leaseDuration,
		RenewDeadline:   e.renewDeadline,
		RetryPeriod:     e.retryPeriod,
		ReleaseOnCancel: true,
		Name:            component,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leadership context.Context) {
				if e.begin(leadership) {
					finished <- e.lead(ctx, leadership)
					leave()
				}
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				klog.FromContext(ctx).Info("The leader is", "identity", identity, "us", identity == e.lock.Identity())
			},
		},
	})
	if err != nil {
		return fmt.Errorf("taking part in the election: %w", err)
	}
	e.enter(standby)
	for e.turn(candidacy, elector) {
	}

	if e.lock.isLost() {
		return errLeaseLost
	}
	// The elector does not wait for the work. Work that has ended although
	// nobody asked for it has ended because the lease was lost.
	select {
	case err := <-finished:
		if err != nil || ctx.Err() != nil {
			return err
		}
	default:
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.left {
			return nil
		}
	}
	return errLeaseLost
}

// turn lets the elector wait for the lease and, with it, lead. It is true if it
// was woken before it led: then the elector looks at the lease at once, and
// knows what it knew before.
func (e *election) turn(candidacy context.Context, elector *leaderelection.LeaderElector) bool {
	turn, end := context.WithCancel(candidacy)
	defer end()
	e.mu.Lock()
	e.rest, e.woken = end, false
	e.mu.Unlock()
	elector.Run(turn)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.woken && candidacy.Err() == nil
}

// wake has a standby look at the lease at once.
func (e *election) wake() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.led {
		e.woken = true
		e.rest()
	}
}

// begin is false if this process was asked to stop, or was woken, while it got
// the lease: the elector gives it back.
func (e *election) begin(leadership context.Context) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.left || leadership.Err() != nil {
		return false
	}
	e.led = true
	e.enter(leading)
	return true
}

// lead works until ctx ends or the leadership does.
func (e *election) lead(ctx, leadership context.Context) error {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(leadership, cancel)()
	return e.work(work)
}
