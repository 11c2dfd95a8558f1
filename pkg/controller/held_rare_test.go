package controller

import (
	"testing"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
)

// Deletions are held, the hold ends, and it begins again: each is said once, whoever led first.
func TestHistoryHeldAgain(t *testing.T) {
	t.Parallel()
	events := told(t, 40, nil, func(h *history) {
		all := h.api.Lists["one"]
		h.keepVolumes(10)
		h.lead()
		h.polls(12)
		h.api.Lists["one"] = all
		h.polls(12)
		h.keepVolumes(10)
		h.polls(12)
		h.api.Lists["one"] = all
		h.polls(12)
	})
	if events[policy.EventHeld] != 1 || events[policy.EventResumed] != 2 {
		t.Errorf("%v", events)
	}
}

// The first listing of a process is not complete; what goes after that begins to be held then.
func TestHistoryHeldAfterIncomplete(t *testing.T) {
	t.Parallel()
	events := told(t, 40, nil, func(h *history) {
		h.lead()
		h.api.Fail = func(call string, _ int) error {
			if call == "namespaces" {
				return errDown
			}
			return nil
		}
		h.polls(3)
		h.api.Fail = nil
		h.polls(3)
		h.keepVolumes(10)
		h.polls(12)
	})
	if events[policy.EventHeld] != 1 {
		t.Errorf("%v", events)
	}
}

// Held because another cluster answers, with one leader: said once though it flaps within.
func TestHistoryOtherClusterOneLeader(t *testing.T) {
	t.Parallel()
	events := told(t, 5, nil, func(h *history) {
		h.polls(3)
		h.other()
		h.polls(30)
		h.first()
		h.polls(30)
	})
	if events[policy.EventHeld] != 1 || events[policy.EventResumed] != 1 {
		t.Errorf("%v", events)
	}
}

// The measure goes on after listings that are cut, while nobody works, and over a fail-over.
func TestHistoryCyclesGoOn(t *testing.T) {
	t.Parallel()
	told(t, 50, nil, func(h *history) {
		n := 0
		h.leader.cycles.observe = func(d2 time.Duration) { n++ }
		h.records.fail = func(string) error { return errDown }
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] += "7"
		}
		h.api.Fail = func(call string, k int) error {
			if call == "volumes one" && k%2 == 0 {
				return errDown
			}
			return nil
		}
		h.polls(20)
		h.records.fail, h.api.Fail = nil, nil
		h.polls(20)
		before := n
		h.polls(10)
		if n-before != 10 {
			t.Errorf("%d of 10 listings are measured", n-before)
		}
	})
}
