package controller

import (
	"testing"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// With deletions switched off a record whose volume is proven gone stays, and is no reason not to
// believe the others, until anything about it is otherwise.
func TestHistoryKept(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		then    func(*history)
		doubted bool // at once
		kept    bool // in the end
	}{
		"it stays so":                      {func(h *history) { h.polls(12 * 60) }, false, true},
		"another goes":                     {func(h *history) { h.api.Lists["one"] = []string{"v2 1"}; h.polls(1) }, true, true},
		"it is listed again, as another":   {func(h *history) { h.api.Lists["one"] = []string{"v0 2 offline", "v1 1", "v2 1"}; h.poll(h.leader) }, true, false},
		"it is listed again, as it was":    {func(h *history) { h.api.Lists["one"] = []string{"v0 1", "v1 1", "v2 1"}; h.poll(h.leader) }, true, false},
		"a hand takes its mark":            {func(h *history) { h.edit("v0", func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationAbsentSince) }) }, true, true},
		"a hand deletes its record":        {func(h *history) { h.records.store(h.records.records["v0"], nil) }, true, false},
		"another process leads":            {func(h *history) { h.lead(); h.polls(1) }, true, true},
		"another one that is well changes": {func(h *history) { h.api.Lists["one"][0] = "v1 2 offline"; h.pollFor(90 * h.settings.PollInterval) }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.DeleteOrphans = false }, func(h *history) {
				h.polls(20)
				h.api.Lists["one"] = []string{"v1 1", "v2 1"}
				for range 3 {
					h.polls(1)
					if len(h.doubts()) == 0 {
						t.Errorf("it is believed before it is proven: %+v", h.leader.Listing())
					}
				}
				h.polls(20)
				if doubts := h.doubts(); len(doubts) > 0 || h.leader.Listing().Kept == 0 {
					t.Fatalf("it is proven gone: %v, %+v", doubts, h.leader.Listing())
				}
				tc.then(h)
				if doubts := h.doubts(); (len(doubts) > 0) != tc.doubted {
					t.Errorf("at once: %v, %+v", doubts, h.leader.Listing())
				}
				h.polls(60)
				if doubts := h.doubts(); len(doubts) > 0 || (h.leader.Listing().Kept != 0) != tc.kept {
					t.Errorf("in the end: %v, %+v", doubts, h.leader.Listing())
				}
			})
		})
	}
}

// A proof is of no more than the watch that has led to it: if StorageOS has the volume again and its lists
// do not show it, nothing is left out by what it said before.
func TestHistoryKeptByAnOldProof(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(*history){
		"it is read by its ID, before a worker decides": func(h *history) {
			h.leader.attachmentChanged("v0", true)
			h.leader.early.reader.ReadDue(h.ctx)
			h.sleep(h.settings.PollInterval)
			h.poll(h.leader)
		},
		"another cluster answers, then the first": func(h *history) {
			h.api.ClusterID = "other"
			h.polls(5)
			h.api.ClusterID = "cluster"
		},
		"its record is edited": func(h *history) {
			h.edit("v0", func(r *v1.Volume) { r.Annotations["note"] = "mine" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.DeleteOrphans = false }, func(h *history) {
				h.polls(20)
				h.api.Lists["one"] = []string{"v1 1", "v2 1"}
				h.polls(20)
				if doubts := h.doubts(); len(doubts) > 0 || h.leader.Listing().Kept == 0 {
					t.Fatalf("it is proven gone: %v, %+v", doubts, h.leader.Listing())
				}
				h.api.Lists["one"] = []string{"v0 1", "v1 1", "v2 1"}
				h.api.Hidden = map[string]bool{"v0": true}
				then(h)
				h.polls(2)
				for n := range 60 {
					if len(h.doubts()) == 0 {
						t.Fatalf("%d polls later it is left out: %+v", n, h.leader.Listing())
					}
					h.polls(1)
				}
			})
		})
	}
}

// Records that are kept do not make good the number of those that are missing.
func TestHistoryKeptIsNotCounted(t *testing.T) {
	t.Parallel()
	told(t, 3, func(s *Settings) { s.DeleteOrphans = false }, func(h *history) {
		h.polls(20)
		h.api.Lists["one"] = []string{"v1 1", "v2 1"}
		h.polls(20)
		h.api.Lists["one"] = append(h.api.Lists["one"], "x 1") // no PersistentVolume refers to it
		h.polls(1)
		h.poll(h.leader)
		h.work(h.leader, 1000)
		if doubts := h.doubts(); len(doubts) > 0 || h.records.records["x"] == nil {
			t.Fatalf("before: %v, %v", doubts, h.records.records["x"])
		}
		h.records.store(h.records.records["x"], nil)
		h.leader.recordsTold = len(h.records.history) // the watch is quiet
		if len(h.doubts()) == 0 {
			t.Errorf("the record of x has gone, and nothing is in doubt: %+v", h.leader.Listing())
		}
	})
}
