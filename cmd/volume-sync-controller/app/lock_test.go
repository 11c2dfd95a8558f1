package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr/funcr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
)

// Why the lease is ours no more is in the log, once.
func TestLostSaysWhy(t *testing.T) {
	t.Parallel()
	for why, happens := range map[string]func(*lease){
		"there is none":           (*lease).remove,
		"nobody holds it":         func(l *lease) { l.take("") },
		"another holds it: other": func(l *lease) { l.take("other") },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var logged []string
				logger := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
				ctx := klog.NewContext(t.Context(), logger)
				_, lock, on := newFence()
				if err := lock.Create(ctx, ours); err != nil {
					t.Fatal(err)
				}
				happens(on)
				for range 2 {
					_, _, _ = lock.Get(ctx)
				}
				if len(logged) != 1 || !strings.Contains(logged[0], `"why"="`+why+`"`) {
					t.Errorf("logged %q", logged)
				}
			})
		})
	}
}

// The answer to a write that there is no lease ends the leadership of whoever had it, without
// a look; who never had it may make it.
func TestNoLeaseToWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		held  bool
		write func(context.Context, *fencedLock) error
	}{
		"it was ours, and is renewed": {true, func(ctx context.Context, l *fencedLock) error { return l.Update(ctx, ours) }},
		"it was ours, and is made":    {true, func(ctx context.Context, l *fencedLock) error { return l.Create(ctx, ours) }},
		"it never was, and is taken":  {false, func(ctx context.Context, l *fencedLock) error { return l.Update(ctx, ours) }},
		"it never was, and is made":   {false, func(ctx context.Context, l *fencedLock) error { return l.Create(ctx, ours) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := quiet(t)
				f, lock, on := newFence()
				if tc.held {
					if err := lock.Create(ctx, ours); err != nil {
						t.Fatal(err)
					}
				}
				var calls []string
				on.answers(func(_, call string) error {
					calls = append(calls, call)
					return apierrors.NewNotFound(leases, component)
				})
				err := tc.write(ctx, lock)
				if lost := errors.Is(err, errLeaseLost); lost != tc.held || lock.isLost() != tc.held || !lost && !apierrors.IsNotFound(err) {
					t.Errorf("lost: %v, want %v: %v", lock.isLost(), tc.held, err)
				}
				if slices.Contains(calls, "get") {
					t.Errorf("it was looked at: %v", calls)
				}
				on.answers(nil)
				if err := lock.Create(ctx, ours); (err == nil) == tc.held {
					t.Errorf("making it: %v", err)
				}
				if err := pass(f, http.MethodPatch); (err == nil) == tc.held {
					t.Errorf("a write: %v", err)
				}
			})
		})
	}
}
