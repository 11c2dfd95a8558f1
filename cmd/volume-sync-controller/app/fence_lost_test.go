package app

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Whoever has held the lease and reads that it is not his begins no write any more and
// cannot take it again, by whatever the elector tries.
func TestLost(t *testing.T) {
	t.Parallel()
	get := func(ctx context.Context, l *fencedLock) { _, _, _ = l.Get(ctx) }
	look := func(ctx context.Context, l *fencedLock) { l.look(ctx) }
	renew := func(ctx context.Context, l *fencedLock) {
		if err := l.Update(ctx, ours); err != nil { // as the elector does
			_, _, _ = l.Get(ctx)
		}
	}
	for name, tc := range map[string]struct {
		happens func(*lease)
		lost    bool
	}{
		"nothing":                        {func(*lease) {}, false},
		"somebody touches it":            {func(l *lease) { l.take("us") }, false},
		"it cannot be read":              {func(l *lease) { l.answers(func(string, string) error { return errBroken }) }, false},
		"another takes it":               {func(l *lease) { l.take("other") }, true},
		"another whose name begins so":   {func(l *lease) { l.take("u") }, true},
		"it is emptied":                  {func(l *lease) { l.take("") }, true},
		"it is deleted":                  {(*lease).remove, true},
		"it is deleted and made anew":    {func(l *lease) { l.remove(); l.take("other") }, true},
		"it is deleted and made, empty":  {func(l *lease) { l.remove(); l.take("") }, true},
		"our name in capitals stands in": {func(l *lease) { l.take("US") }, true},
	} {
		for way, reads := range map[string]func(context.Context, *fencedLock){"get": get, "look": look, "renewal": renew} {
			t.Run(name+", by "+way, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx := quiet(t)
					f, lock, on := newFence()
					told := 0
					lock.onLost = func() { told++ }
					if err := lock.Create(ctx, ours); err != nil {
						t.Fatal(err)
					}
					tc.happens(on)
					reads(ctx, lock)
					if lock.isLost() != tc.lost {
						t.Errorf("lost: %v, want %v", !tc.lost, tc.lost)
					}
					if !tc.lost {
						on.answers(nil)
						_, _, _ = lock.Get(ctx) // as the elector does in a moment
						if err := pass(f, http.MethodPatch); err != nil {
							t.Errorf("a write: %v", err)
						}
						return
					}
					if err := pass(f, http.MethodPatch); !errors.Is(err, errFenced) {
						t.Errorf("a write: %v", err)
					}
					_, _, readErr := lock.Get(ctx)
					for what, err := range map[string]error{
						"reading": readErr, "making": lock.Create(ctx, ours), "taking": lock.Update(ctx, ours), "giving back": lock.Update(ctx, nobody),
					} {
						if !errors.Is(err, errLeaseLost) {
							t.Errorf("%s it: %v", what, err)
						}
					}
					f.renew(time.Now().Add(time.Second))
					if err := pass(f, http.MethodPatch); !errors.Is(err, errFenced) {
						t.Errorf("a write after it: %v", err)
					}
					if told != 1 || on.holder() == "us" {
						t.Errorf("told %d times, held by %q", told, on.holder())
					}
				})
			})
		}
	}
}

// Who has never held the lease loses nothing, and who has given it back may take it
// again.
func TestNotLost(t *testing.T) {
	t.Parallel()
	for name, history := range map[string]func(context.Context, *fencedLock, *lease){
		"it was never ours": func(ctx context.Context, l *fencedLock, on *lease) {
			on.take("other")
			_, _, _ = l.Get(ctx)
			on.remove()
			_, _, _ = l.Get(ctx)
		},
		"it was given back": func(ctx context.Context, l *fencedLock, on *lease) {
			_ = l.Create(ctx, ours)
			_ = l.Update(ctx, nobody)
			l.look(ctx)
			_, _, _ = l.Get(ctx)
			time.Sleep(time.Second)
			on.remove()
		},
		"it is seen to be nobody's while it is given back": func(ctx context.Context, l *fencedLock, on *lease) {
			_ = l.Create(ctx, ours)
			on.answers(func(_, call string) error {
				if call == "update" {
					on.answers(nil)
					on.take("") // it has come
					l.look(ctx)
					return errBroken // and its answer has not
				}
				return nil
			})
			_ = l.Update(ctx, nobody)
			if l.isLost() {
				panic("lost by giving it back")
			}
			on.remove()
			l.held = false
			time.Sleep(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := quiet(t)
				f, lock, on := newFence()
				history(ctx, lock, on)
				if err := lock.Create(ctx, ours); err != nil {
					t.Fatal(err)
				}
				if err := pass(f, http.MethodPatch); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// From the answer that somebody else has written the lease until it is known who holds
// it, writes wait.
func TestWritesWaitInDoubt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		holder string
		looks  bool
		after  time.Duration
		err    error
	}{
		"it is ours":        {"us", true, 3 * time.Second, nil},
		"it is another's":   {"other", true, 3 * time.Second, errFenced},
		"nobody can tell":   {"us", false, leaseDuration - fenceMargin, errFenced},
		"nobody is told so": {"other", false, leaseDuration - fenceMargin, errFenced},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := quiet(t)
				f, lock, on := newFence()
				_ = lock.Create(ctx, ours)
				on.take(tc.holder)
				if err := lock.Update(ctx, ours); !apierrors.IsConflict(err) {
					t.Fatal(err)
				}
				begun, done := time.Now(), make(chan error)
				go func() { done <- pass(f, http.MethodPatch) }()
				time.Sleep(3 * time.Second)
				if tc.looks {
					_, _, _ = lock.Get(ctx)
				}
				if err := <-done; !errors.Is(err, tc.err) {
					t.Errorf("the write: %v", err)
				}
				if took := time.Since(begun); took != tc.after {
					t.Errorf("it waited for %v", took)
				}
			})
		})
	}
}

// From the word of the watch that the lease is not ours until that is known, or the lease
// is renewed, writes wait.
func TestWritesWaitWhileLooking(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, tc := range map[string]struct {
		holder string
		looks  time.Duration // how long looking takes
		fails  error
		renews time.Duration // after so long; 0: not
		after  time.Duration
		err    error
	}{
		"the watch lags behind":        {holder: "us", looks: 3 * s, after: 3 * s},
		"another holds it":             {holder: "other", looks: 3 * s, after: 3 * s, err: errFenced},
		"looking fails":                {holder: "other", fails: errBroken, after: leaseDuration - fenceMargin, err: errFenced},
		"looking fails, it is renewed": {holder: "us", fails: errBroken, renews: 2 * s, after: 2 * s},
		"it is renewed meanwhile":      {holder: "us", looks: 3 * s, renews: 2 * s, after: 2 * s},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := quiet(t)
				f, lock, on := newFence()
				watched := &observedLock{Interface: lock, wake: func() {}, look: func() { lock.look(ctx) }, watch: func(func(string)) {}}
				if err := watched.Create(ctx, ours); err != nil {
					t.Fatal(err)
				}
				if tc.holder != "us" {
					on.take(tc.holder)
				}
				on.answers(func(_, call string) error {
					if call != "get" {
						return nil
					}
					time.Sleep(tc.looks)
					return tc.fails
				})
				go watched.moved("other")
				synctest.Wait()
				var err error
				var took time.Duration
				done := make(chan struct{})
				go func() {
					begun := time.Now()
					err = pass(f, http.MethodPatch)
					took = time.Since(begun)
					close(done)
				}()
				if tc.renews > 0 {
					time.Sleep(tc.renews)
					if err := watched.Update(ctx, ours); err != nil {
						t.Fatal(err)
					}
				}
				<-done
				if !errors.Is(err, tc.err) || took != tc.after {
					t.Errorf("the write waited for %v: %v", took, err)
				}
				time.Sleep(time.Minute) // everything ends
			})
		})
	}
}
