package controller

import (
	"fmt"
	"testing"
)

// Nobody may look at the CRD, or the API server goes by it late; a node has lost its name, so
// that records keep the one that they say. The newer CRD is installed.
func TestHistoryTrialKeepsHostName(t *testing.T) {
	t.Parallel()
	for _, looks := range []bool{false, true} {
		for _, named := range []bool{true, false} {
			t.Run(fmt.Sprintf("looks %v, the node has its name %v", looks, named), func(t *testing.T) {
				told(t, 50, func(s *Settings) { s.ResyncInterval = 60e9 }, func(h *history) {
					if !named {
						h.api.NodeNames = map[string]string{}
						h.polls(3)
					}
					h.records.pruned = true
					for i := range h.api.Lists["one"] {
						h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
					}
					h.polls(3)
					if looks {
						h.looks(t, newCRDs(crdOf(t)))
					}
					h.polls(12)
					if n := len(h.incomplete()); n != 50 {
						t.Fatalf("%d are pruned", n)
					}
					h.records.pruned = false
					h.polls(12 + 3) // the next resync, and two polls
					if n := len(h.incomplete()); n > 0 {
						t.Errorf("a resync and two polls later %d of 50 records are not completed", n)
					}
					n := 15
					for ; n < 1200 && len(h.incomplete()) > 0; n++ {
						h.polls(1)
					}
					t.Logf("after %d polls %d are not complete", n, len(h.incomplete()))
				})
			})
		}
	}
}

// The CRD is replaced, and for a moment the watch of records goes by the older one still.
func TestHistoryWatchLagsManyGets(t *testing.T) {
	t.Parallel()
	const volumes = 1000
	told(t, volumes, nil, func(h *history) {
		good, old := crdOf(t), crdOf(t, olderFields...)
		c := newCRDs(good)
		h.looks(t, c)
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
		}
		h.install(c, old, true)
		h.polls(5)
		h.install(c, good, false)
		asked, writes := h.askedByID(), h.attempts()
		h.records.after = func(string) {
			last := &h.records.history[len(h.records.history)-1]
			if last.obj != nil {
				last.obj = (&memory{pruned: true}).prune(last.obj.DeepCopy())
			}
		}
		h.polls(4) // the watch goes by the older one for 20 s
		h.records.after = nil
		h.polls(8)
		t.Logf("writes %d", h.attempts()-writes)
		if n := h.askedByID() - asked; n > 0 {
			t.Errorf("%d volumes were asked for by ID", n)
		}
		if n := len(h.incomplete()); n > 0 {
			t.Errorf("%d are incomplete", n)
		}
	})
}
