package app

import (
	"context"
	"errors"
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

// errLeaseLost ends the process: whoever holds the lease now may be writing.
var errLeaseLost = errors.New("the lease was lost")

// newLock makes the lock of the election. Its client is its own, so that
// renewals wait neither behind other requests nor for longer than is of use.
func (s *server) newLock() error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("finding an identity for the election: %w", err)
	}
	config := rest.CopyConfig(s.config)
	config.WrapTransport = nil // the fence is for what the lease protects
	config.Timeout = s.options.renewDeadline / 2
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client for the election: %w", err)
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, s.namespace, component,
		client.CoreV1(), client.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())})
	if err != nil {
		return fmt.Errorf("making the lock of the election: %w", err)
	}
	s.lock = &fencedLock{Interface: lock, fence: s.fence}
	s.lock.looked.Store(time.Now().UnixNano())
	s.health.looked = func() time.Time { return time.Unix(0, s.lock.looked.Load()) }
	s.health.lookMax = 3 * s.options.leaseDuration
	return nil
}

// elect takes part in the election and works while it leads. When ctx ends, a
// standby leaves at once; a leader gives the lease back after its last write.
func (s *server) elect(ctx, base context.Context) error {
	election, leave := context.WithCancel(base)
	defer leave()

	var mu sync.Mutex
	led, left := false, false
	defer context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !led {
			left = true
			leave()
		}
	})()

	finished := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            s.lock,
		LeaseDuration:   s.options.leaseDuration,
		RenewDeadline:   s.options.renewDeadline,
		RetryPeriod:     s.options.retryPeriod,
		ReleaseOnCancel: true,
		Name:            component,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leadership context.Context) {
				mu.Lock()
				led = true
				mu.Unlock()
				s.health.enter(leading)
				finished <- s.lead(ctx, leadership)
				leave()
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				klog.FromContext(ctx).Info("The leader is", "identity", identity, "us", identity == s.lock.Identity())
			},
		},
	})
	if err != nil {
		return fmt.Errorf("taking part in the election: %w", err)
	}
	s.health.enter(standby)
	elector.Run(election)

	select {
	case err := <-finished:
		return err
	default:
	}
	mu.Lock()
	defer mu.Unlock()
	if left {
		return nil
	}
	return errLeaseLost
}

// lead works until ctx ends or the leadership does.
func (s *server) lead(ctx, leadership context.Context) error {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(leadership, cancel)()
	return s.reconciler.Start(work)
}
