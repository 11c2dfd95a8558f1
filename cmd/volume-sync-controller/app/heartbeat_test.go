package app

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	"github.com/storageos/volume-sync-controller/pkg/controller"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// The Lease says when the last complete listing ended, whatever hands do to it.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		client := fake.NewClientset()
		api := client.CoordinationV1().Leases("here")
		var fails error
		var mu sync.Mutex // of fails and now
		client.PrependReactor("*", "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
			mu.Lock()
			defer mu.Unlock()
			return fails != nil, nil, fails
		})
		logger := ktesting.NewLogger(t, ktesting.NewConfig(ktesting.BufferLogs(true)))
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
		defer cancel()
		var now controller.Listing
		h := &heartbeat{leases: api, listing: func() controller.Listing {
			mu.Lock()
			defer mu.Unlock()
			return now
		}}
		set := func(change func()) {
			mu.Lock()
			defer mu.Unlock()
			change()
		}
		go h.run(ctx)
		step := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		writes := func() int {
			n := 0
			for _, a := range client.Actions() {
				if a.GetVerb() != "get" {
					n++
				}
			}
			return n
		}
		is := func(what, cluster string, renewed time.Time, held, invalid string) {
			t.Helper()
			l, err := api.Get(ctx, "storageos-volume-sync-listing", metav1.GetOptions{})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if *l.Spec.HolderIdentity != cluster || !l.Spec.RenewTime.Equal(&metav1.MicroTime{Time: renewed}) ||
				l.Annotations["api.storageos.com/held"] != held || l.Annotations["api.storageos.com/invalid"] != invalid {
				t.Errorf("%s: held by %s, renewed after %v, %v", what, *l.Spec.HolderIdentity, l.Spec.RenewTime.Sub(begun), l.Annotations)
			}
		}

		step(time.Hour)
		if n := len(client.Actions()); n != 0 {
			t.Errorf("%d requests before a listing was complete", n)
		}
		first := time.Now()
		set(func() { now.Completed = first })
		step(heartbeatLook)
		is("a cluster that does not tell its name", "unnamed", first, "0", "0")
		set(func() { now.Completed, now.Cluster = first.Add(time.Second), "c1" })
		step(heartbeatLook)
		is("another cluster", "c1", first.Add(time.Second), "0", "0")
		before := writes()
		set(func() { now.Completed = first.Add(5 * time.Second) })
		step(10 * time.Second)
		if n := writes() - before; n != 0 {
			t.Errorf("%d writes though only time has passed", n)
		}
		set(func() {
			now.Completed, now.Begun, now.Recorded = first.Add(4*time.Second), first.Add(3*time.Second), first
		})
		step(heartbeatPause)
		if n := writes() - before; n != 1 {
			t.Errorf("%d writes in the pause, though something is behind", n)
		}
		set(func() {
			now.Completed, now.Begun, now.Recorded = first.Add(5*time.Second), first.Add(4*time.Second), first.Add(4*time.Second)
		})
		step(10 * time.Second)
		if n := writes() - before; n != 2 {
			t.Errorf("%d writes when nothing is behind any more", n-1)
		}
		set(func() {
			now.Completed, now.Begun, now.Recorded = first.Add(10*time.Second), first.Add(9*time.Second), first.Add(4*time.Second)
		})
		step(10 * time.Second)
		if n := writes() - before; n != 2 {
			t.Errorf("%d writes when something comes to be behind", n-2)
		}
		set(func() {
			now.Completed, now.Begun, now.Recorded = first.Add(5*time.Second), first.Add(4*time.Second), first.Add(4*time.Second)
		})
		set(func() { now.Held, now.Invalid = 3, 2 })
		step(heartbeatLook)
		is("something is held", "c1", first.Add(5*time.Second), "3", "2")
		before = writes()
		step(5 * heartbeatPause)
		is("no listing is complete", "c1", first.Add(5*time.Second), "3", "2")
		if n := writes() - before; n != 5 {
			t.Errorf("%d writes in 5 times the pause", n)
		}
		set(func() { now.Completed, now.Begun, now.Recorded = time.Now(), time.Now(), time.Now() })
		again := time.Now()
		step(2 * heartbeatLook)
		is("a listing is complete after minutes without", "c1", again, "3", "2")

		l, err := api.Get(ctx, record.HeartbeatName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		seconds := int32(9)
		l.Annotations, l.Labels = map[string]string{"mine": "stays", "api.storageos.com/held": "many"}, map[string]string{"mine": "too"}
		l.Spec = coordinationv1.LeaseSpec{LeaseDurationSeconds: &seconds}
		if _, err := api.Update(ctx, l, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		set(func() { fails = apierrors.NewConflict(leases, record.HeartbeatName, nil) })
		step(heartbeatPause)
		set(func() { fails = nil })
		step(heartbeatRetry)
		is("a hand has edited it", "c1", again, "3", "2")
		if err := api.Delete(ctx, record.HeartbeatName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		step(heartbeatPause)
		is("a hand has deleted it", "c1", again, "3", "2")

		logged := len(logger.GetSink().(ktesting.Underlier).GetBuffer().Data())
		for _, err := range []error{errBroken, apierrors.NewForbidden(leases, record.HeartbeatName, nil)} {
			set(func() { fails = err })
			step(10 * heartbeatPause)
		}
		set(func() { fails = nil })
		step(heartbeatRetry)
		if n := len(logger.GetSink().(ktesting.Underlier).GetBuffer().Data()) - logged; n != 2 {
			t.Errorf("%d lines of two kinds of failure", n)
		}
		cancel()
		synctest.Wait()
		before = len(client.Actions())
		step(time.Hour)
		if n := len(client.Actions()) - before; n != 0 {
			t.Errorf("%d requests after the leadership", n)
		}
	})
}

// Where StorageOS is listed rarely, each listing is told at once: the one before would be too old until
// the Lease is written anyway.
func TestHeartbeatDue(t *testing.T) {
	t.Parallel()
	begun := time.Unix(1000, 0)
	for interval, want := range map[time.Duration]bool{5 * time.Second: false, 29 * time.Second: false, 30 * time.Second: true, 45 * time.Second: true} {
		listing := func(ended time.Time) controller.Listing {
			return controller.Listing{Heartbeat: record.Heartbeat{Completed: ended, Recorded: ended}, Begun: ended.Add(-time.Second)}
		}
		h := &heartbeat{wrote: listing(begun), at: begun.Add(20 * time.Second)} // something else has changed then
		if got := h.due(listing(begun.Add(interval)), h.at.Add(time.Second)); got != want {
			t.Errorf("%v after the last: %v, want %v", interval, got, want)
		}
	}
}
