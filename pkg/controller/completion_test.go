package controller

import (
	"context"
	"fmt"
	"testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Something drops fields of some records for ever. That others keep them is no reason to
// write those again: a few are tried at each resync.
func TestHistorySomeDropped(t *testing.T) {
	t.Parallel()
	const dropped, polls, resyncs = 30, 60, 5
	told(t, dropped+10, func(s *Settings) { s.ResyncInterval = polls / resyncs * s.PollInterval }, func(h *history) {
		h.leader.crd.is.Store(int32(crdCurrent))
		h.records.wrote = func(_ context.Context, _, obj *v1.Volume) {
			if obj != nil && len(obj.Name) == 3 { // v10 ... v39
				obj.Status.Conditions = nil
			}
		}
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
		}
		h.polls(3)
		before := h.records.writes
		for n := range polls { // at each poll one other volume changes
			h.api.Lists["one"][0] = fmt.Sprintf("v0 %d", 10+n)
			h.polls(1)
		}
		if n := h.records.writes - before - 2*polls; n < resyncs || n > mostTried*(resyncs+1) {
			t.Errorf("%d writes of what is dropped, in %d resyncs", n, resyncs)
		}
	})
}

// A record that says too little is written again out of what StorageOS says when it is
// asked, and, where that takes several tries, at a pace that slows down.
func TestHistoryWatchLagsBehindCRD(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.leader.crd.is.Store(int32(crdCurrent))
		want := *stateIn(h, "v0")
		lags := func(r *v1.Volume) { r.Status.Conditions, r.Status.Capacity = nil, nil }
		h.undoing(lags)
		before := h.records.writes
		h.polls(12)
		if n := h.records.writes - before; n > 12 {
			t.Errorf("%d writes within a minute", n)
		}
		h.records.after = nil
		h.polls(3)
		if got := *stateIn(h, "v0"); got != want {
			t.Errorf("it says\n%+v, want\n%+v", got, want)
		}
	})
}
