package controller

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// The CRD goes and comes at once; API servers go by it a moment later; a resync mends that.
func TestHistoryCRDBackAtOnceRecords(t *testing.T) {
	t.Parallel()
	told(t, 50, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
		good := crdOf(t)
		c := newCRDs(good)
		h.looks(t, c)
		c.set(nil)
		c.set(good)
		synctest.Wait()
		h.records.pruned = true // for a moment
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
		}
		h.polls(2)
		h.records.pruned = false
		h.polls(60)
		if n := len(h.incomplete()); n > 0 {
			t.Errorf("5 minutes and 4 resyncs later %d of 50 records are not completed, the gauge says %s", n, current(t, h.leader.metrics))
		}
	})
}

// The CRD was another one for a moment, and nobody saw it: the watch stood still, or the
// process has just begun. What was dropped meanwhile is completed without a resync, and if
// something drops it for ever, it is tried less and less often.
func TestHistoryCRDAnotherUnseen(t *testing.T) {
	t.Parallel()
	for name, forEver := range map[string]bool{"for a moment": false, "for ever": true} {
		t.Run(name, func(t *testing.T) {
			told(t, 50, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
				h.looks(t, newCRDs(crdOf(t)))
				h.records.pruned = true
				for i := range h.api.Lists["one"] {
					h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
				}
				h.polls(1)
				h.records.pruned = forEver
				writes := h.attempts()
				h.polls(3)
				if n := len(h.incomplete()); !forEver && n > 0 {
					t.Errorf("three polls later %d of 50 records are not completed", n)
				}
				h.polls(720) // an hour
				// After 1, 2, 4 ... 64 polls, and then each 10 minutes.
				if n := h.attempts() - writes; n > fewTried*(8+6) && forEver {
					t.Errorf("%d writes in an hour", n)
				}
			})
		})
	}
}

// A record that a finalizer of somebody keeps is the one that is tried.
func TestHistoryTrialOfTerminating(t *testing.T) {
	t.Parallel()
	told(t, 30, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
		h.records.pruned = true
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
		}
		h.polls(3)
		for i := range 28 {
			h.edit(fmt.Sprint("v", i), func(r *v1.Volume) { r.DeletionTimestamp = &metav1.Time{Time: time.Now()} })
		}
		h.polls(3)
		h.records.pruned = false
		h.polls(15)
		n := 0
		for _, name := range h.incomplete() {
			if h.records.records[name].DeletionTimestamp == nil {
				n++
			}
		}
		if n > 0 {
			t.Errorf("a resync and two polls later %d records of 2 are not completed", n)
		}
	})
}

// Records that lack something and that Kubernetes does not take for a while.
func TestHistoryTrialRefused(t *testing.T) {
	t.Parallel()
	told(t, 30, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
		h.records.pruned = true
		for i := range h.api.Lists["one"] {
			h.api.Lists["one"][i] = fmt.Sprintf("v%d 7", i)
		}
		h.polls(3)
		h.records.fail = func(string) error { return errDown }
		h.polls(13)
		h.records.fail = nil
		h.records.pruned = false
		h.polls(15)
		if n := len(h.incomplete()); n > 0 {
			t.Errorf("a resync and two polls later %d records are not completed", n)
		}
	})
}

// Completion is handed out while no listing is complete.
func TestHistoryCompletionWhileListingsFail(t *testing.T) {
	t.Parallel()
	told(t, 50, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
		good, old := crdOf(t), crdOf(t, olderFields...)
		c := newCRDs(good)
		h.looks(t, c)
		h.install(c, old, true)
		h.polls(3)
		h.api.Fail = func(call string, _ int) error {
			if strings.HasPrefix(call, "volumes") || call == "namespaces" {
				return errDown
			}
			return nil
		}
		h.install(c, good, false)
		h.polls(5)
		h.api.Fail = nil
		asked := h.askedByID()
		h.polls(3)
		if n := len(h.incomplete()); n > 0 {
			t.Errorf("%d not completed", n)
		}
		if n := h.askedByID() - asked; n > 0 {
			t.Errorf("%d asked by ID", n)
		}
	})
}

// Completion whose writes fail for a while.
func TestHistoryCompletionWhileWritesFail(t *testing.T) {
	t.Parallel()
	told(t, 50, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
		good, old := crdOf(t), crdOf(t, olderFields...)
		c := newCRDs(good)
		h.looks(t, c)
		h.install(c, old, true)
		h.polls(3)
		h.records.fail = func(string) error { return errDown }
		h.install(c, good, false)
		h.polls(5)
		h.records.fail = nil
		h.polls(4)
		if n := len(h.incomplete()); n > 0 {
			t.Errorf("%d not completed", n)
		}
	})
}

// The same with another leader between.
func TestHistoryCompletionFailOver(t *testing.T) {
	t.Parallel()
	told(t, 50, func(s *Settings) { s.ResyncInterval = 0 }, func(h *history) {
		good, old := crdOf(t), crdOf(t, olderFields...)
		c := newCRDs(good)
		h.looks(t, c)
		h.install(c, old, true)
		h.polls(3)
		h.lead()
		h.looks(t, c)
		h.polls(1)
		h.install(c, good, false)
		h.polls(3)
		if n := len(h.incomplete()); n > 0 {
			t.Errorf("%d not completed", n)
		}
	})
}
