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
	end := r.made.Add(time.Hour)
	if got := r.Listing(); got != (Listing{}) {
		t.Errorf("before it leads: %+v", got)
	}
	r.leading.Store(true)
	r.listingNoted(&source.Listing{}, errBroken, end)
	if got := r.Listing(); got != (Listing{Failing: "broken"}) {
		t.Errorf("before a complete one: %+v", got)
	}
	begun := end.Add(-time.Minute)
	r.listingNoted(&source.Listing{Begun: begun, Cluster: "c"}, nil, end)
	r.listingNoted(&source.Listing{Cluster: "other"}, errBroken, end.Add(time.Minute))
	r.tracker.update("v1", end, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t.Gauges.Held = "why"
		return t
	})
	listing := func(h record.Heartbeat, failing string) Listing {
		h.Held, h.Volumes, h.Records = 1, 50, r.caches.RecordSum(h.Completed)
		return Listing{Heartbeat: h, Begun: h.Recorded, Failing: failing, begunUp: uptime(h.Recorded.Sub(r.made))}
	}
	if got, want := r.Listing(), listing(record.Heartbeat{Completed: end, Cluster: "c", Recorded: begun}, "broken"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	r.listingNoted(&source.Listing{Begun: end}, nil, end.Add(time.Hour))
	if got, want := r.Listing(), listing(record.Heartbeat{Completed: end.Add(time.Hour), Recorded: end}, ""); got != want {
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
