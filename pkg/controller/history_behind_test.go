package controller

import (
	"fmt"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// The leader does not say that all is recorded while it is not.
func TestHistoryBehind(t *testing.T) {
	t.Parallel()
	offline := func(h *history) { // every master, at once
		for n := range h.api.Lists["one"] {
			h.api.Lists["one"][n] = fmt.Sprintf("v%d 1 offline", n)
		}
	}
	for name, tc := range map[string]struct {
		tell   func(*history) // up to a complete listing that has just ended
		behind time.Duration  // the listing as of which all is recorded is older than that one by so much; 0: there is none such
		heals  func(*history) // what comes then, and all is recorded
	}{
		"who leads after a time in which nobody did": {
			tell: func(h *history) {
				offline(h)
				h.sleep(time.Hour)
				h.lead()
				h.poll(h.leader)
			},
		},
		"a listing after an hour in which there was none": {
			tell: func(h *history) {
				offline(h)
				h.sleep(time.Hour - h.settings.PollInterval)
				h.poll(h.leader)
			},
			behind: time.Hour,
		},
		"writes that fail, or are not answered": {
			tell: func(h *history) {
				h.records.fail = func(string) error { return errDown }
				offline(h)
				h.poll(h.leader)
				h.sleep(h.settings.PollInterval)
				h.poll(h.leader)
			},
			behind: 2 * DefaultSettings().PollInterval,
			heals:  func(h *history) { h.records.fail = nil; h.polls(2) },
		},
		"a record that is edited by hand, which nobody has looked at yet": {
			tell: func(h *history) {
				h.edit("v0", func(r *v1.Volume) { r.Status.Master.Health = "offline" })
				h.tell(h.leader, -1)
				h.poll(h.leader)
			},
			behind: DefaultSettings().PollInterval,
		},
		"a record that is deleted by hand": {
			tell: func(h *history) {
				h.records.store(h.records.records["v0"], nil)
				h.tell(h.leader, -1)
				h.sleep(h.settings.PollInterval)
				h.poll(h.leader)
			}, // what was recorded is so no more
		},
		"the same, a moment after it was found to be right": {
			tell: func(h *history) {
				for n := range 18 * 25 {
					if n%25 == 0 {
						h.poll(h.leader)
					}
					h.edit("v0", func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" })
					for range 2 { // it is written, and looked at
						h.tell(h.leader, -1)
						h.work(h.leader, 10)
					}
					h.sleep(h.settings.PollInterval / 25)
				}
				h.poll(h.leader)
			},
			behind: 17 * DefaultSettings().PollInterval,
			heals:  func(h *history) { h.listings(5) },
		},
		"a record that somebody makes say something else again and again": {
			tell: func(h *history) {
				h.undoing(func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" })
				h.listings(18)
				h.poll(h.leader)
			},
			behind: 18 * DefaultSettings().PollInterval,
			heals:  func(h *history) { h.records.after = nil; h.listings(5) },
		},
		"the same, something else each time": {
			tell: func(h *history) {
				n := 0
				h.undoing(func(r *v1.Volume) { n++; r.Status.Master.NodeID = fmt.Sprint("elsewhere-", n) })
				h.listings(18)
				h.poll(h.leader)
			},
			behind: 18 * DefaultSettings().PollInterval,
			heals:  func(h *history) { h.records.after = nil; h.listings(5) },
		},
		"a cluster that something stamps on it, another each time": {
			tell: func(h *history) {
				n := 0
				h.records.drops = func(r *v1.Volume) { n++; r.Annotations[v1.AnnotationClusterID] = fmt.Sprint("c", n) }
				h.changedPV("v0", func(pv *state.PV) { pv.ClaimName = "other" })
				h.listings(18)
				h.poll(h.leader)
			},
			behind: 18 * DefaultSettings().PollInterval,
			heals:  func(h *history) { h.records.drops = nil; h.listings(5) },
		},
		"a listing that takes minutes": {
			tell: func(h *history) {
				h.api.Slow = map[string]time.Duration{"volumes one": 3 * time.Minute}
				h.poll(h.leader)
			},
			behind: 3 * time.Minute,
			heals:  func(h *history) { h.api.Slow = nil; h.polls(2) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 5, nil, func(h *history) {
				at := func() time.Duration { l := h.leader.Listing(); return l.Completed.Sub(l.Recorded) }
				if at() != 0 {
					t.Fatalf("at rest: %+v", h.leader.Listing())
				}
				tc.tell(h)
				l := h.leader.Listing()
				if tc.behind == 0 && !l.Recorded.IsZero() || tc.behind > 0 && at() < tc.behind-time.Second || time.Since(l.Completed) > time.Second {
					t.Errorf("all is said to be recorded as of %v before the last listing, want %v", at(), tc.behind)
				}
				if tc.heals == nil {
					tc.heals = func(h *history) { h.polls(2) }
				}
				if tc.heals(h); at() != 0 || h.leader.backlog.right != nil {
					t.Errorf("in the end: %v before the last listing, %v", at(), h.leader.backlog.right)
				}
			})
		})
	}
}

// What makes Kubernetes store other copies than were written, a policy or a webhook, is told, and
// is not written against, whatever it was that was written. When it ends the record is right a
// minute later.
func TestHistoryAltered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		alters func(*v1.Volume)
		change func(*history)
	}{
		"the volume changes": {
			func(r *v1.Volume) { r.Status.Master.Health = "online" },
			func(h *history) { h.api.Lists["one"][0] = "v0 1 offline" },
		},
		"its PersistentVolume does": {
			func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" },
			func(h *history) { h.changedPV("v0", func(pv *state.PV) { pv.ClaimName = "other" }) },
		},
		"it is adopted": {
			func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" },
			func(h *history) { h.edit("v0", func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationClusterID) }) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 5, nil, func(h *history) {
				h.records.drops = func(r *v1.Volume) {
					if r.Name == "v0" && r.Status.Master != nil {
						tc.alters(r)
					}
				}
				tc.change(h)
				writes := h.records.writes
				h.listings(3)
				if l := h.leader.Listing(); l.Invalid != 1 {
					t.Errorf("%+v", l)
				}
				h.listings(24) // two minutes
				if n := h.records.writes - writes; n > 9 {
					t.Errorf("%d writes in two minutes", n)
				}
				if l := h.leader.Listing(); l.Invalid != 1 || h.events[policy.EventInvalid] != 1 {
					t.Errorf("%+v, events %v", l, h.events)
				}
				h.records.drops = nil
				h.listings(14)
				if got := h.records.records["v0"].Status; !record.SameCopies(&got, h.shouldSay(t, "v0")) {
					t.Errorf("in the end: %+v", got)
				}
				if l := h.leader.Listing(); l.Invalid != 0 || l.Recorded != l.Completed {
					t.Errorf("in the end: %+v", l)
				}
			})
		})
	}
}

// What takes the mark of an absence away again, a policy or a webhook, is not written against
// either, and the record is not believed for longer than a minute. When it ends, the mark comes.
func TestHistoryUnmarked(t *testing.T) {
	t.Parallel()
	told(t, 5, nil, func(h *history) {
		h.records.deleted = func(r *v1.Volume) { t.Errorf("record %s was deleted", r.Name) }
		h.records.drops = func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationAbsentSince) }
		h.api.Hidden = map[string]bool{"v0": true}
		writes := h.records.writes + h.records.dropped
		h.listings(24) // two minutes
		if n := h.records.writes + h.records.dropped - writes; n > 8 {
			t.Errorf("%d writes in two minutes", n)
		}
		if l := h.leader.Listing(); l.Held != 1 && l.Completed.Sub(l.Recorded) < time.Minute {
			t.Errorf("it is believed: %+v", l)
		}
		h.records.drops = nil
		h.listings(14)
		if h.records.records["v0"].Annotations[v1.AnnotationAbsentSince] == "" {
			t.Error("there is no mark in the end")
		}
	})
}

// shouldSay is what the status of a record should say of a volume.
func (h *history) shouldSay(t *testing.T, id string) *v1.VolumeStatus {
	t.Helper()
	_, v, err := h.api.Volume(h.ctx, "one", id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := record.FromVolume(v, "one", h.api.NodeNames)
	if err != nil {
		t.Fatal(err)
	}
	return &c.Status
}
