package controller

import (
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// What is said of the listings: only a complete one moves the time and the cluster, and
// only a leader knows.
func TestListing(t *testing.T) {
	t.Parallel()
	r := keepAll(t, 50)
	end := time.Now()
	if got := r.Listing(); got != (Listing{}) {
		t.Errorf("before it leads: %+v", got)
	}
	r.leading.Store(true)
	r.listingNoted(&source.Listing{}, errBroken, end)
	if got := r.Listing(); got != (Listing{Failing: "broken"}) {
		t.Errorf("before a complete one: %+v", got)
	}
	r.listingNoted(&source.Listing{Cluster: "c"}, nil, end)
	r.listingNoted(&source.Listing{Cluster: "other"}, errBroken, end.Add(time.Minute))
	r.tracker.update("v1", end, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t.Gauges.Held = "why"
		return t
	})
	if got, want := r.Listing(), (Listing{Heartbeat: record.Heartbeat{Completed: end, Cluster: "c", Held: 1, Volumes: 50, Records: r.caches.RecordSum(end), Recorded: end}, Failing: "broken"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	r.listingNoted(&source.Listing{}, nil, end.Add(time.Hour))
	if got, want := r.Listing(), (Listing{Heartbeat: record.Heartbeat{Completed: end.Add(time.Hour), Held: 1, Volumes: 50, Records: r.caches.RecordSum(end.Add(time.Hour)), Recorded: end.Add(time.Hour)}}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if r.Listing().Records == 0 {
		t.Error("there is no sum of the records")
	}
	r.leading.Store(false)
	if got := r.Listing(); got != (Listing{}) {
		t.Errorf("after it led: %+v", got)
	}
}
