package controller

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// doubts are the reasons for which nobody may believe the records that there are, by the Lease
// that is written now.
func (h *history) doubts() []string {
	var all []v1.Volume
	for _, r := range h.records.records {
		all = append(all, *r)
	}
	beat := h.leader.Listing().Heartbeat
	doubts := record.Doubts(all, beat, time.Now())
	for _, why := range []string{record.Waiting(all, beat), record.Lag(beat, time.Now()), record.Tally(all, beat)} {
		if why != "" {
			doubts = append(doubts, why)
		}
	}
	return doubts
}

// pollFor lists for so long, and nobody works: each worker may hang in a write.
func (h *history) pollFor(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); h.sleep(h.settings.PollInterval) {
		h.poll(h.leader)
	}
}

// A record that is wrong for long is not believed, whatever becomes of its volume meanwhile,
// until it is right.
func TestHistoryBehindForLong(t *testing.T) {
	t.Parallel()
	const long = 5 * time.Minute
	stuck := func(h *history) {
		h.api.NamespaceIDs = append(h.api.NamespaceIDs, "two")
		h.pollFor(2 * h.settings.PollInterval)
		h.api.Lists["one"][0] = "v0 1 offline"
		h.pollFor(long)
	}
	refuse := func(string) error {
		return apierrors.NewInvalid(v1.SchemeGroupVersion.WithKind("Volume").GroupKind(), "x", nil)
	}
	moves := func(h *history) {
		h.api.Lists["two"] = h.api.Lists["one"][:1]
		h.api.Lists["one"] = h.api.Lists["one"][1:]
	}
	for name, tc := range map[string]struct {
		wrong func(*history)                    // for long
		then  func(h *history, believed func()) // it calls that in between
	}{
		"nothing else": {wrong: stuck},
		"it moves, while that is listed": {stuck, func(h *history, believed func()) {
			moves(h)
			n := 0
			h.api.Before = func(_ context.Context, call string) {
				if call == "cluster" {
					if n++; n == 2 {
						believed()
					}
				}
			}
			h.poll(h.leader)
			h.api.Before = nil
		}},
		"it moves": {stuck, func(h *history, _ func()) { moves(h) }},
		"a list lacks it once": {stuck, func(h *history, believed func()) {
			h.api.Hidden = map[string]bool{"v0": true}
			h.pollFor(h.settings.PollInterval)
			believed()
			h.api.Hidden = nil
		}},
		"a list lacks it once, and the listing fails": {stuck, func(h *history, believed func()) {
			h.api.Hidden = map[string]bool{"v0": true}
			h.api.Fail = func(call string, _ int) error {
				if call == "volumes two" {
					return errDown
				}
				return nil
			}
			h.pollFor(h.settings.PollInterval)
			believed()
			h.api.Hidden, h.api.Fail = nil, nil
		}},
		"it is too large once": {stuck, func(h *history, believed func()) {
			h.api.Lists["one"][0] = "v0 large"
			h.pollFor(h.settings.PollInterval)
			believed()
			h.api.Lists["one"][0] = "v0 1 offline"
		}},
		"it is read early": {stuck, func(h *history, believed func()) {
			h.api.Lists["one"][0] = "v0 2 offline"
			h.leader.attachmentChanged("v0", true)
			h.leader.early.reader.ReadDue(h.ctx)
			believed()
		}},
		"it was refused, and is another": {func(h *history) {
			h.records.fail = refuse
			h.api.Lists["one"][0] = "v0 1 offline"
			h.listings(60)
		}, func(h *history, _ func()) { h.api.Lists["one"][0] = "v0 2 offline" }},
		"it was too large": {func(h *history) {
			h.api.Lists["one"][0] = "v0 large"
			h.listings(60)
		}, func(h *history, _ func()) { h.api.Lists["one"][0] = "v0 1 offline" }},
		"too many were absent, and are back": {func(h *history) {
			all := h.api.Lists["one"]
			h.keepVolumes(1)
			h.pollFor(long)
			h.api.Lists["one"] = append([]string{"v0 1"}, all[1:]...)
		}, func(h *history, _ func()) { h.api.Lists["one"][5] = "v5 1 offline" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 60, nil, func(h *history) {
				believed := func() {
					t.Helper()
					if len(h.doubts()) == 0 {
						t.Errorf("it is believed: %+v", h.leader.Listing())
					}
				}
				if tc.wrong(h); tc.then != nil {
					believed()
					tc.then(h, believed)
				}
				h.poll(h.leader)
				believed()
				h.records.fail = nil
				h.polls(3)
				if doubts := h.doubts(); len(doubts) > 0 || h.leader.backlog.right != nil {
					t.Errorf("in the end: %v, %v", doubts, h.leader.backlog.right)
				}
			})
		})
	}
}

// A write that stores nothing finds the record right as its volume was when that was decided,
// and not as it was listed since then.
func TestHistoryBehindSinceDecided(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		was := h.records.records["v0"].DeepCopy()
		h.edit("v0", func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" })
		h.tell(h.leader, -1)
		h.edit("v0", func(r *v1.Volume) { r.Status = *was.Status.DeepCopy() }) // which nobody has told yet
		writes := 0
		h.records.fail = func(string) error {
			if writes++; writes == 1 {
				h.api.Lists["one"][0] = "v0 1 offline"
				h.pollFor(150 * time.Second)
			}
			return nil
		}
		h.work(h.leader, 1)
		if is := h.records.records["v0"].Status.Master.Health; writes == 0 || is != "online" || len(h.doubts()) == 0 {
			t.Errorf("%d writes, and the record that says %s is believed: %+v", writes, is, h.leader.Listing())
		}
		h.polls(3)
		if doubts := h.doubts(); len(doubts) > 0 || h.leader.backlog.right != nil {
			t.Errorf("in the end: %v, %v", doubts, h.leader.backlog.right)
		}
	})
}
