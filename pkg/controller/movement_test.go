package controller

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// A poller moves when a request of a listing begins and when it ends, well or not;
// nothing else is a movement, and none shortens a pause.
func TestMovement(t *testing.T) {
	t.Parallel()
	const takes = 5 * time.Second
	list := func(each func(storageos.Entry) error) func(context.Context, storageos.Lister) {
		return func(ctx context.Context, api storageos.Lister) {
			_, _ = api.ListVolumes(ctx, "one", storageos.Fingerprint{}, each)
		}
	}
	quick := list(func(storageos.Entry) error { return nil })
	for name, tc := range map[string]struct {
		ask   func(context.Context, storageos.Lister)
		fails bool
		pause time.Duration // that has begun
		moved time.Duration // last, an hour after the begin
		first time.Duration // just after the begin
	}{
		"the cluster":    {ask: func(ctx context.Context, api storageos.Lister) { _, _ = api.Cluster(ctx) }, moved: takes},
		"the nodes":      {ask: func(ctx context.Context, api storageos.Lister) { _, _ = api.Nodes(ctx) }, moved: takes},
		"the namespaces": {ask: func(ctx context.Context, api storageos.Lister) { _, _ = api.Namespaces(ctx) }, moved: takes},
		"volumes":        {ask: quick, moved: takes},
		"a failure":      {ask: quick, fails: true, moved: takes},
		"a question about one volume is none": {
			ask:   func(ctx context.Context, api storageos.Lister) { _, _, _ = api.Volume(ctx, "one", "a") },
			moved: -time.Minute, first: -time.Minute,
		},
		"whoever takes the volumes stands still": {
			ask: list(func(storageos.Entry) error {
				time.Sleep(2 * time.Hour)
				return nil
			}),
		},
		"the nodes are answered in a long pause": {
			ask:   func(ctx context.Context, api storageos.Lister) { _, _ = api.Nodes(ctx) },
			pause: time.Hour, moved: time.Hour, first: time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := storageostest.New(map[string][]string{"one": {"a 1"}})
				f.Takes = takes
				if tc.fails {
					f.Fail = func(string, int) error { return errBroken }
				}
				r := &Reconciler{}
				begun := time.Now()
				r.alive(begun.Add(-time.Minute)) // when something last moved
				if tc.pause > 0 {
					r.alive(begun.Add(tc.pause))
				}
				go tc.ask(t.Context(), source.Movement{Lister: f, Moved: r.moved})
				synctest.Wait()
				if got := r.LastAttempt().Sub(begun); got != tc.first {
					t.Errorf("at its begin it last moved after %v, want %v", got, tc.first)
				}
				time.Sleep(time.Hour)
				if got := r.LastAttempt().Sub(begun); got != tc.moved {
					t.Errorf("it last moved after %v, want %v", got, tc.moved)
				}
				time.Sleep(2 * time.Hour) // everything ends
			})
		})
	}
}
