package controller

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// An answer that shows a volume ends the watch of its absence, though its record is
// terminating: when that has gone, a younger one is what the absence is watched for.
func TestHistoryShownWhileTerminating(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.store(nil, beside(h.records.records["v39"], "copy"))
		h.polls(1)
		h.api.Hidden = map[string]bool{"v39": true}
		asked := h.askedByID()
		h.api.Before = func(_ context.Context, call string) {
			if call == "volume v39" { // a hand deletes the record while an answer shows the volume
				old := h.records.records["v39"]
				obj := old.DeepCopy()
				obj.DeletionTimestamp = &metav1.Time{Time: time.Now()}
				h.records.store(old, obj)
				h.tell(h.leader, -1)
			}
		}
		for h.askedByID() == asked {
			h.polls(1)
		}
		h.api.Before = nil
		h.keepVolumes(39)                              // now it is gone
		h.polls(2)                                     // less than the grace
		h.records.store(h.records.records["v39"], nil) // the finalizer goes
		h.polls(1)
		if h.records.records["copy"] == nil {
			t.Error("the younger record was deleted before the absence was watched for the grace")
		}
		h.polls(6)
		if h.records.records["copy"] != nil {
			t.Error("the younger record stays")
		}
	})
}

// A record is not marked on what it said before it was written last: then it named no
// cluster, and now it names another than the one that answers. The cache does not know,
// and the ID in its status has been edited, for which nobody remembers the write.
func TestHistoryMarkBehindTheCache(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		old := h.records.records["v0"]
		obj := old.DeepCopy()
		obj.Annotations = map[string]string{v1.AnnotationAbsentSince: "2000-01-01T00:00:00Z"}
		obj.Status.VolumeID = "not-v0"
		h.records.store(old, obj)
		h.tell(h.leader, -1)
		writes := 0
		h.records.fail = func(string) error {
			if writes++; writes > 1 { // the status
				return errDown
			}
			return nil
		}
		h.work(h.leader, 10)
		if is := h.records.records["v0"].Annotations; is[v1.AnnotationAbsentSince] != "" || is[v1.AnnotationClusterID] != "cluster" || h.records.records["v0"].Status.VolumeID != "not-v0" {
			t.Fatalf("it was not written by half: %v", is)
		}
		h.records.fail = nil
		h.api.ClusterID, h.api.Lists["one"] = "other", nil
		_ = h.leader.poller.Poll(h.ctx)
		h.work(h.leader, 10) // the watch has not told
		if mark := h.records.records["v0"].Annotations[v1.AnnotationAbsentSince]; mark != "" {
			t.Errorf("it names another cluster than the one that answers, and is marked: %s", mark)
		}
	})
}

// That nobody claims a volume is said once, however often it is not listed for a while: on
// the older CRD too, whose records do not tell that it was said.
func TestHistoryUnclaimedToldOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		pruned bool
		before int // polls from when its PersistentVolume goes until it is not listed
		away   int // polls
		claims func(*history)
		want   int
	}{
		"the current CRD":                        {false, 12, 2, nil, 1},
		"the older CRD":                          {true, 12, 2, nil, 1},
		"the older CRD, and it is marked":        {true, 12, 3, nil, 1},
		"it is not listed before that was said":  {false, 1, 2, nil, 1},
		"the older CRD, it is not listed before": {true, 1, 2, nil, 1},
		"the older CRD, and it is claimed meanwhile": {true, 12, 2, func(h *history) {
			h.setPV(nil, boundPV("other", "v3"))
			h.polls(1)
			h.setPV(h.pvs["other"], nil)
		}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 40, nil, func(h *history) {
				if h.records.pruned = tc.pruned; tc.pruned {
					for _, old := range h.records.records {
						h.records.store(old, old.DeepCopy())
					}
					h.leader.crd.is.Store(int32(crdOlder))
				}
				h.polls(6)
				h.setPV(h.pvs["v3"], nil)
				h.polls(tc.before)
				for range 3 {
					h.api.Hidden = map[string]bool{"v3": true}
					h.polls(tc.away)
					if tc.claims != nil {
						tc.claims(h)
					}
					h.api.Hidden = nil
					h.polls(12)
				}
			})
			if events[policy.EventUnclaimed] != tc.want {
				t.Errorf("events %v, want %d %s", events, tc.want, policy.EventUnclaimed)
			}
		})
	}
}

// The event of a new volume that nobody claims waits while PersistentVolumes of others come,
// and its record says so already. Whatever happens to the volume meanwhile, it is said, once.
func TestHistoryUnclaimedToldAfterAll(t *testing.T) {
	t.Parallel()
	hide := func(h *history, polls int) {
		h.api.Hidden = map[string]bool{"x": true}
		h.provision(polls / 2)
		h.api.Hidden = nil
	}
	for name, meanwhile := range map[string]func(*history){
		"nothing":                           func(*history) {},
		"it is not listed for a while":      func(h *history) { hide(h, 2) },
		"it is not listed for the grace":    func(h *history) { hide(h, 6) },
		"it is not listed, again and again": func(h *history) { hide(h, 2); h.provision(2); hide(h, 2) },
		"its namespace goes and is back while no listing is complete": func(h *history) {
			namespaces := h.api.NamespaceIDs
			h.api.NamespaceIDs, h.api.Lists["two"] = []string{"two"}, nil
			h.api.Fail = func(call string, _ int) error {
				if call == "volumes two" {
					return errDown
				}
				return nil
			}
			h.provision(1)
			h.api.NamespaceIDs, h.api.Fail = namespaces, nil
		},
		"a hand takes from the record what it says of it": func(h *history) {
			old := h.records.records["x"]
			obj := old.DeepCopy()
			obj.Status.Conditions = nil
			h.records.store(old, obj)
			h.provision(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 40, nil, func(h *history) {
				h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
				h.provision(12)
				if c := meta.FindStatusCondition(h.records.records["x"].Status.Conditions, v1.ConditionBound); c.Reason != record.ReasonUnclaimed {
					t.Errorf("its record says %s", c.Reason)
				}
				meanwhile(h)
				h.provision(12)
				if n := h.events[policy.EventUnclaimed]; n != 0 {
					t.Errorf("it was said %d times while others came", n)
				}
				h.polls(24)
			})
			if events[policy.EventUnclaimed] != 1 {
				t.Errorf("events %v, want one %s", events, policy.EventUnclaimed)
			}
		})
	}
}

// A volume that nobody claims is claimed for a while. That it is unclaimed again is a matter
// of the grace and said again, though its record never said that it was claimed.
func TestHistoryUnclaimedAgain(t *testing.T) {
	t.Parallel()
	for name, claimed := range map[string]func(h *history, polls func()){
		"it is written": func(_ *history, polls func()) { polls() },
		"it cannot be written": func(h *history, polls func()) {
			h.records.fail = func(string) error { return errDown }
			polls()
		},
		"it is refused": func(h *history, polls func()) {
			h.records.fail = func(string) error { return refuse }
			polls()
		},
		"it cannot be written, and another leads": func(h *history, polls func()) {
			h.records.fail = func(string) error { return errDown }
			polls()
			h.lead()
			polls()
		},
		"it cannot be written, for a moment": func(h *history, _ func()) {
			h.records.fail = func(string) error { return errDown }
			h.work(h.leader, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 40, nil, func(h *history) {
				h.setPV(h.pvs["v3"], nil)
				h.polls(12)
				h.setPV(nil, boundPV("other", "v3"))
				h.tell(h.leader, -1)
				_ = h.leader.poller.Poll(h.ctx)
				claimed(h, func() { h.polls(12) })
				h.setPV(h.pvs["other"], nil)
				h.round()
				if n := h.leader.tracker.counts.unclaimed; n != 0 {
					t.Errorf("%d are counted just after the PersistentVolume went", n)
				}
				h.records.fail = nil
				h.polls(24)
				if n := h.leader.tracker.counts.unclaimed; n != 1 {
					t.Errorf("%d are counted in the end", n)
				}
				h.setPV(nil, boundPV("last", "v3"))
				h.polls(3)
				if tr := h.leader.tracker.all["v3"]; tr != (policy.Memory{}) {
					t.Errorf("remembered when it is claimed at last: %+v", tr)
				}
			})
			if events[policy.EventUnclaimed] != 2 {
				t.Errorf("events %v, want two %s", events, policy.EventUnclaimed)
			}
		})
	}
}

// That nobody claims a volume is news unless the first whole list of its namespace showed it
// so, whatever becomes of other namespaces, and though it was not listed when its
// PersistentVolume went.
func TestHistoryUnclaimedNews(t *testing.T) {
	t.Parallel()
	hide := func(h *history) { h.api.Hidden = map[string]bool{"v3": true}; h.polls(1) }
	goes := func(h *history) { h.setPV(h.pvs["v3"], nil); h.polls(1) }
	lead := func(h *history) { h.lead(); h.polls(12) }
	for name, tc := range map[string]struct {
		tell []func(*history)
		want int // told
	}{
		"it is not listed":                    {[]func(*history){lead, hide, goes}, 1},
		"it is not listed, and another leads": {[]func(*history){hide, goes, lead}, 1},
		"it is listed":                        {[]func(*history){lead, goes}, 1},
		"it is listed, and another leads":     {[]func(*history){goes, lead}, 0},
	} {
		for _, silent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, another namespace fails: %t", name, silent), func(t *testing.T) {
				t.Parallel()
				events := told(t, 40, nil, func(h *history) {
					h.api.NamespaceIDs, h.api.Lists["two"] = []string{"one", "two"}, nil
					if silent {
						h.api.Fail = func(call string, _ int) error { return map[string]error{"volumes two": errDown}[call] }
					}
					for _, tell := range tc.tell {
						tell(h)
					}
					h.api.Hidden = nil
					h.polls(24)
					if n := h.leader.tracker.counts.unclaimed; n != 1 {
						t.Errorf("%d are counted", n)
					}
				})
				if events[policy.EventUnclaimed] != tc.want {
					t.Errorf("events %v, want %d %s", events, tc.want, policy.EventUnclaimed)
				}
			})
		}
	}
}

// A record counts as held when its grace is over, whatever stands in the way before.
func TestHistoryHeldAfterTheGrace(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		kept int // of 40 volumes
		tell func(*history)
		want string
	}{
		"its mark is refused":        {39, func(h *history) { h.records.fail = func(string) error { return refuse } }, policy.HeldNotWritten},
		"its mark cannot be written": {39, func(h *history) { h.records.fail = func(string) error { return errDown } }, policy.HeldNotWritten},
		"somebody takes its mark away at once": {39, func(h *history) {
			h.records.after = func(string) {
				old := h.records.records["v39"]
				obj := old.DeepCopy()
				delete(obj.Annotations, v1.AnnotationAbsentSince)
				h.records.store(old, obj)
			}
		}, policy.HeldNotWritten},
		"its turn to be asked for does not come": {39, func(h *history) { h.leader.proofs = newTurns(0) }, policy.HeldNotAsked},
		"one of many, whose marks are refused": {10, func(h *history) {
			h.records.fail = func(string) error { return refuse }
		}, policy.HeldMass},
		"one of many, whose marks have to wait": {10, func(h *history) {
			h.leader.marks = newTurns(0)
		}, policy.HeldMass},
		"another cluster answers": {0, func(h *history) { h.api.ClusterID = "other" }, policy.HeldOtherCluster},
		"StorageOS fails": {39, func(h *history) {
			h.polls(2)
			h.api.Fail = func(string, int) error { return errDown }
		}, policy.HeldNotWatched},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, func(s *Settings) { s.OrphanGracePeriod = 5 * time.Minute }, func(h *history) {
				h.keepVolumes(tc.kept)
				tc.tell(h)
				h.polls(57)
				if held := h.leader.tracker.held; len(held) != 0 {
					t.Errorf("before the grace is over: held %v", held)
				}
				h.polls(6)
				if held := h.leader.tracker.held; len(held) != 1 || held[tc.want] != 40-tc.kept {
					t.Errorf("when it is over: held %v, want %s", held, tc.want)
				}
			})
		})
	}
}

// A record that goes in its time never counts as held, whenever its PersistentVolume goes: the
// record says so first.
func TestHistoryGoesUnheld(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, 4 * time.Second, 15 * time.Second, time.Minute} {
		for goes := range 15 {
			t.Run(fmt.Sprintf("grace %v, PersistentVolume goes at poll %d", grace, goes), func(t *testing.T) {
				t.Parallel()
				told(t, 40, func(s *Settings) { s.OrphanGracePeriod = grace }, func(h *history) {
					h.keepVolumes(38)
					released := *h.pvs["v39"]
					released.Phase = state.Intern(corev1.VolumeReleased)
					h.setPV(h.pvs["v39"], &released)
					for n := 0; len(h.records.records) > 38; n++ {
						if n == goes {
							h.setPV(h.pvs["v39"], nil)
						}
						_ = h.leader.poller.Poll(h.ctx)
						for range 50 {
							if h.leader.Listing().Held > 0 {
								t.Fatalf("held at poll %d: %v", n, h.leader.tracker.held)
							}
							h.tell(h.leader, -1)
							h.work(h.leader, 1)
							h.sleep(h.settings.PollInterval / 50)
						}
					}
				})
			})
		}
	}
}
