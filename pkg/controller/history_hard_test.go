package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	typedv1 "github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned/typed/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// A volume that was said to be missing and is back after it was unknown.
func TestHistoryFoundAfterUnknown(t *testing.T) {
	t.Parallel()
	t.Run("an answer shows it, then the list does", func(t *testing.T) {
		t.Parallel()
		events := told(t, 40, nil, func(h *history) {
			h.api.Hidden = map[string]bool{"v0": true}
			h.polls(6)
			n := h.api.Calls["volume v0"]
			for range 12 {
				h.polls(1)
				if h.api.Calls["volume v0"] > n {
					break
				}
			}
			h.api.Hidden = nil
			h.polls(4)
		})
		if want := (counted{policy.EventMissing: 1, policy.EventFound: 1}); !maps.Equal(events, want) {
			t.Errorf("events %v, want %v", events, want)
		}
	})
	t.Run("no record, another volume is forgotten", func(t *testing.T) {
		t.Parallel()
		events := told(t, 3, nil, func(h *history) {
			h.api.NamespaceIDs = []string{"one", "two"}
			h.polls(1)
			h.setPV(nil, boundPV("pvc-x", "x"))
			h.polls(8) // VolumeMissing
			missing := h.leader.tracker.counts.missing
			h.api.Fail = func(c string, _ int) error { return map[string]error{"volumes two": errDown}[c] }
			h.records.fail = func(string) error { return errDown }
			all := h.api.Lists["one"]
			h.api.Lists["one"] = append([]string{"y 1"}, all...)
			h.polls(1)
			h.api.Lists["one"] = all
			h.polls(1)
			h.leader.evaluateAll([]string{"x"}) // as a resync does
			t.Logf("missing gauge: %d before, %d after", missing, h.leader.tracker.counts.missing)
			h.api.Lists["one"] = append([]string{"x 1"}, all...)
			h.records.fail = nil
			h.api.Fail = nil
			h.polls(4)
		})
		if events[policy.EventMissing] != 1 || events[policy.EventFound] != 1 {
			t.Errorf("events %v, want one Missing, one Found", events)
		}
	})
}

// Creations that fail are remembered for ever.
func TestHistoryCreationsGrow(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.leader.writer.MaxUncertain = 50
		h.records.fail = func(string) error { return errDown }
		all := h.api.Lists["one"]
		for n := range 30 {
			vs := all
			for k := range 100 {
				vs = append(vs[:len(vs):len(vs)], fmt.Sprintf("h%d-%d 1", n, k))
			}
			h.api.Lists["one"] = vs
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 1000)
			h.sleep(h.settings.PollInterval)
		}
		h.api.Lists["one"] = all
		h.records.fail = nil
		h.polls(60)
		if n := h.leader.writer.Uncached(); n > 100 {
			t.Errorf("%d creations are remembered, StorageOS lists %d volumes", n, len(all))
		}
	})
}

// losing loses the answers to deletions that were done.
type losing struct{ *memory }

func (l losing) StorageOSV1() typedv1.StorageOSV1Interface { return l }
func (l losing) Volumes() typedv1.VolumeInterface          { return l }
func (l losing) Delete(ctx context.Context, name string, o metav1.DeleteOptions) error {
	if err := l.memory.Delete(ctx, name, o); err != nil {
		return err
	}
	return errors.New("the answer was lost")
}

// Deletions whose answer was lost and that are tried again before the watch tells.
func TestHistoryLostDeletionIsNotCounted(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint("lost: ", lost), func(t *testing.T) {
			t.Parallel()
			told(t, 40, nil, func(h *history) {
				if lost {
					h.leader.writesTo(losing{h.records})
				}
				lag := func(n int) {
					for range n {
						_ = h.leader.poller.Poll(h.ctx)
						for range 3 {
							h.work(h.leader, 1000)
							h.sleep(200 * time.Millisecond) // the watch is a little behind
						}
						h.tell(h.leader, -1)
						h.work(h.leader, 1000)
						h.sleep(h.settings.PollInterval)
					}
				}
				h.keepVolumes(31)
				lag(6)
				if n := len(h.records.records); n != 31 {
					t.Fatalf("%d records", n)
				}
				t.Logf("counted deletions: %d, want 9", len(h.leader.tracker.breaker.Deletions))
				h.keepVolumes(22) // 18 of 40 within a minute: more than 10, more than 20 %
				lag(6)
				if n := len(h.records.records); n != 31 {
					t.Errorf("%d records: the breaker has not held the second nine (%q)", n, h.leader.tracker.breaker.Why)
				}
			})
		})
	}
}

// An event is lost because an older save, of what was so before, has failed.
func TestHistoryQuietLosesEvent(t *testing.T) {
	t.Parallel()
	events := told(t, 3, nil, func(h *history) {
		h.api.Lists["one"][0] = "v0 7" // while nobody leads
		h.records.fail = func(string) error { return errDown }
		h.lead()
		h.polls(3)
		h.api.Lists["one"][0] = "v0 7 offline" // long after this process has begun
		h.polls(3)
		h.records.fail = nil
		h.polls(6)
		if got := h.records.records["v0"].Status.Health; got != v1.HealthOffline {
			t.Errorf("it is %s", got)
		}
	})
	if want := (counted{policy.EventOffline: 1}); !maps.Equal(events, want) {
		t.Errorf("events %v, want %v", events, want)
	}
}

// The record of a volume that cannot be recorded says Bound for ever.
func TestHistoryInvalidKubernetesAlone(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"large", "18446744073709551615"} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.Lists["one"][0] = "v0 " + size
				h.polls(3)
				is := *h.pvs["v0"]
				is.Phase = state.Intern(corev1.VolumeReleased)
				h.setPV(h.pvs["v0"], &is)
				h.polls(400) // more than half an hour
				r := h.records.records["v0"]
				if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c.Reason != "Released" {
					t.Errorf("Bound says %s, its PersistentVolume %+v", c.Reason, r.Status.PersistentVolume)
				}
			})
		})
	}
}

// Unclaimed is said the moment that the PersistentVolume goes.
func TestHistoryUnclaimedTooEarly(t *testing.T) {
	t.Parallel()
	events := told(t, 3, nil, func(h *history) {
		h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
		h.polls(1) // no PersistentVolume yet
		h.api.Lists["one"][3] = "x 18446744073709551615"
		h.polls(1)
		pv := boundPV("pvc-x", "x")
		h.setPV(nil, pv)
		h.polls(100)
		h.setPV(pv, nil)
		h.tell(h.leader, -1)
		h.work(h.leader, 10)
		h.sleep(time.Second)
		h.api.Lists["one"][3] = "x 1"
		h.polls(1)
		r := h.records.records["x"]
		if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c.Reason == record.ReasonUnclaimed {
			t.Errorf("Bound says %s, 5 s after its PersistentVolume went", c.Reason)
		}
	})
	if events[policy.EventUnclaimed] > 0 {
		t.Errorf("events %v", events)
	}
}

// The same, while it is unknown whether the volume is there: the last
// PersistentVolume is forgotten by a listing that was begun before it went.
func TestHistoryLastPVForgotten(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.NamespaceIDs = []string{"one", "two"}
		h.api.Lists["one"] = append(h.api.Lists["one"], "x 1")
		h.polls(2) // no PersistentVolume yet
		h.api.Fail = func(c string, _ int) error { return map[string]error{"volumes two": errDown}[c] }
		all := h.api.Lists["one"]
		h.api.Lists["one"] = all[:3]
		h.polls(1) // unknown
		pv := boundPV("pvc-x", "x")
		h.setPV(nil, pv)
		h.polls(20)
		h.setPV(pv, nil)
		h.tell(h.leader, -1)
		h.work(h.leader, 10)
		h.api.Lists["one"] = all
		h.polls(1)
		r := h.records.records["x"]
		if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c.Reason == record.ReasonUnclaimed {
			t.Errorf("Bound says %s at once after its PersistentVolume went; %+v", c.Reason, r.Status.PersistentVolume)
		}
	})
}

// Two clusters answer in turn.
func TestHistoryHeldInTurn(t *testing.T) {
	t.Parallel()
	events := told(t, 40, nil, func(h *history) {
		h.keepVolumes(39)
		h.polls(2)
		for n := range 120 {
			h.api.ClusterID = []string{"other", "cluster"}[n%2]
			h.polls(1)
		}
		h.api.ClusterID = "cluster"
	})
	if events[policy.EventHeld] > 2 || events[policy.EventResumed] > 2 {
		t.Errorf("events %v in ten minutes; the record was never free to go", events)
	}
}

// The record of a volume that is gone, whose mark Kubernetes refuses.
func TestHistoryRefusedMark(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.fail = func(verb string) error {
			if verb == "patch" {
				return apierrors.NewInvalid(v1.SchemeGroupVersion.WithKind("Volume").GroupKind(), "x", nil)
			}
			return nil
		}
		h.keepVolumes(39)
		h.polls(720) // an hour
		tr := h.leader.tracker
		if _, ok := h.records.records["v39"]; ok && tr.counts.invalid == 0 && len(tr.held) == 0 {
			t.Errorf("after an hour it is there; invalid %d, held %v, orphans %d", tr.counts.invalid, tr.held, tr.counts.orphan)
		}
	})
}

// A label beyond what is read.
func TestHistoryReplicasLabel(t *testing.T) {
	t.Parallel()
	v := &storageos.Volume{}
	v.Id = "a"
	v.Labels = map[string]string{"storageos.com/replicas": "70000"}
	c, err := record.FromVolume(v, "one", nil)
	if err != nil || c.Spec.Replicas != 0 && c.Spec.Replicas != 70000 {
		t.Errorf("label 70000: spec.replicas %d, ready %s (%v)", c.Spec.Replicas, c.Status.Ready, err)
	}
}

// Copies are remembered for ever.
func TestHistoryCopiesGrow(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		for n := range 300 {
			c := h.records.records["v0"].DeepCopy()
			c.Name, c.UID, c.CreationTimestamp = fmt.Sprint("copy", n), types.UID(fmt.Sprint("copy", n)), metav1.NewTime(time.Now().Add(time.Hour))
			h.records.store(nil, c)
			h.polls(1)
			h.records.store(h.records.records[c.Name], nil)
			h.polls(1)
		}
		if n := h.copiesTold(); n > 10 {
			t.Errorf("%d copies are remembered, there is none", n)
		}
	})
}

// The CRD is current and something else drops what is written.
func TestHistoryDroppedThoughCurrent(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.leader.crd.is.Store(int32(crdCurrent))
		h.records.pruned = true
		for _, old := range maps.Clone(h.records.records) {
			h.records.store(old, old.DeepCopy())
		}
		h.polls(3)
		before := h.records.writes + h.records.dropped
		h.polls(120) // ten minutes
		if n := h.records.writes + h.records.dropped - before; n > 10 {
			t.Errorf("%d writes of what is dropped, in ten minutes", n)
		}
	})
}

// Replicas in another order are no change.
func TestHistoryReplicaOrder(t *testing.T) {
	t.Parallel()
	told(t, 1, nil, func(h *history) {
		v := func(a, b string) string {
			r := func(id string) string { return `{"id":"` + id + `","health":"ready","nodeID":"n1"}` }
			return `{"id":"v0","name":"v0","namespaceID":"one","sizeBytes":1,"master":{"health":"online","nodeID":"n1"},"replicas":[` + r(a) + "," + r(b) + `]}`
		}
		h.api.Lists["one"] = []string{v("a", "b")}
		h.polls(2)
		before := h.records.writes
		for n := range 60 {
			if n%2 == 0 {
				h.api.Lists["one"] = []string{v("b", "a")}
			} else {
				h.api.Lists["one"] = []string{v("a", "b")}
			}
			h.polls(1)
		}
		if n := h.records.writes - before; n > 1 {
			t.Errorf("%d writes in 60 polls", n)
		}
	})
}

// during runs something at the first event.
type during struct{ do func() }

func (d *during) Event(runtime.Object, string, string, string) {
	if do := d.do; do != nil {
		d.do = nil
		do()
	}
}

// A decision that has looked at the view before a listing showed the volume.
func TestHistoryStaleLook(t *testing.T) {
	t.Parallel()
	told(t, 40, func(s *Settings) { s.OrphanGracePeriod = 8 * time.Second }, func(h *history) {
		d := &during{}
		h.leader.events = d
		all := h.api.Lists["one"]
		h.keepVolumes(39)
		_ = h.leader.poller.Poll(h.ctx) // lacks it; a worker is to mark its record
		h.sleep(h.settings.PollInterval)
		c := h.records.records["v39"].DeepCopy()
		c.Name, c.UID, c.CreationTimestamp = "copy", "copy", metav1.NewTime(time.Now())
		h.records.store(nil, c)
		h.tell(h.leader, -1)
		d.do = func() { // the worker has looked, and the poller is faster
			h.api.Lists["one"] = all
			_ = h.leader.poller.Poll(h.ctx)
			h.api.Lists["one"] = all[:39]
		}
		h.work(h.leader, 10)
		h.sleep(h.settings.PollInterval)
		_ = h.leader.poller.Poll(h.ctx) // the first that lacks it since it was shown
		h.tell(h.leader, -1)
		h.work(h.leader, 100)
		h.tell(h.leader, -1)
		h.work(h.leader, 100)
		if d.do != nil {
			t.Fatal("not met")
		}
		if h.records.records["v39"] == nil {
			t.Error("deleted by one listing")
		}
	})
}
