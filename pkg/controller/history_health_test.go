package controller

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// isWell is what a record says of how its volume is.
func isWell(r *v1.Volume) string {
	c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionHealthy)
	if c == nil {
		c = &metav1.Condition{}
	}
	return fmt.Sprintf("%s %q %s %s", r.Status.Health, r.Status.Ready, c.Status, c.Reason)
}

// A record whose volume is absent never says that it is well, however it was and however
// long it is held. When the volume is back, all is right again, and neither its absence nor
// its return is said to be a change of its health.
func TestHistoryAbsentIsNotWell(t *testing.T) {
	t.Parallel()
	const lost, well = `Unknown "" Unknown NotListed`, `Healthy "1/1" True Healthy`
	for name, tc := range map[string]struct {
		was, is string // the volume
		kept    int    // of 40 volumes, while it is away
		before  string // what its record says first
		after   string // when it is back
		events  counted
	}{
		"healthy":                  {"v39 1", "v39 1", 39, well, well, counted{}},
		"with all others":          {"v39 1", "v39 1", 0, well, well, counted{policy.EventHeld: 1, policy.EventResumed: 1}},
		"offline":                  {"v39 1 offline", "v39 1 offline", 39, `Offline "0/1" False Offline`, `Offline "0/1" False Offline`, counted{}},
		"degraded":                 {"v39 1 online n1 5", "v39 1 online n1 5", 39, `Degraded "1/2" False Degraded`, `Degraded "1/2" False Degraded`, counted{}},
		"offline, when it is back": {"v39 1", "v39 1 offline", 39, well, `Offline "0/1" False Offline`, counted{policy.EventOffline: 1}},
		"another size":             {"v39 1", "v39 2", 39, well, well, counted{}},
		"it cannot be read":        {"v39 1", "v39 18446744073709551615", 39, well, well, counted{policy.EventInvalid: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 40, nil, func(h *history) {
				h.api.Lists["one"][39] = tc.was
				h.polls(2)
				clear(h.events)
				was := h.records.records["v39"]
				if got := isWell(was); got != tc.before {
					t.Errorf("it says %s, want %s", got, tc.before)
				}
				all := h.api.Lists["one"]
				h.keepVolumes(tc.kept)
				h.polls(2)
				r := h.records.records["v39"]
				if got := isWell(r); got != lost || r.Annotations[v1.AnnotationAbsentSince] == "" {
					t.Errorf("while it is away it says %s, want %s", got, lost)
				}
				if diff := cmp.Diff(was.Status.Master, r.Status.Master); diff != "" {
					t.Errorf("master (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(was.Status.Replicas, r.Status.Replicas); diff != "" {
					t.Errorf("replicas (-want +got):\n%s", diff)
				}
				all[39] = tc.is
				h.api.Lists["one"] = all
				h.polls(2)
				if got := isWell(h.records.records["v39"]); got != tc.after {
					t.Errorf("when it is back it says %s, want %s", got, tc.after)
				}
			})
			if !maps.Equal(events, tc.events) {
				t.Errorf("events %v, want %v", events, tc.events)
			}
		})
	}
}

// Nor does it say so between two writes, in whichever order they come.
func TestHistoryNeverWellWhileMarked(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*history){
		"it goes": func(h *history) { h.keepVolumes(2); h.polls(2) },
		"it goes and is back": func(h *history) {
			all := h.api.Lists["one"]
			h.keepVolumes(2)
			h.polls(2)
			h.api.Lists["one"] = all
			h.polls(2)
		},
		"another leads": func(h *history) { h.keepVolumes(2); h.polls(2); h.lead(); h.polls(2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				from := len(h.records.history)
				tell(h)
				for _, c := range h.records.history[from:] {
					if c.obj != nil && c.obj.Annotations[v1.AnnotationAbsentSince] != "" && isWell(c.obj) != `Unknown "" Unknown NotListed` {
						t.Errorf("a record that is marked says %s", isWell(c.obj))
					}
				}
			})
		})
	}
}

// replicated is v0 with so many replicas that are wanted, so many that are ready, and its master.
func replicated(wanted, ready int, master string) string {
	var replicas []string
	for n := range ready {
		replicas = append(replicas, fmt.Sprintf(`{"id":"r%d","nodeID":"n1","health":"ready"}`, n))
	}
	return fmt.Sprintf(`{"id":"v0","name":"v0","namespaceID":"one","sizeBytes":1,"labels":{"storageos.com/replicas":"%d"},`+
		`"master":{"health":%q,"nodeID":"n1"},"replicas":[%s]}`, wanted, master, strings.Join(replicas, ","))
}

// A change of health is said once, whatever becomes of the answer to the write that tells it.
func TestHistoryHealthToldOnce(t *testing.T) {
	t.Parallel()
	once := func(err error) func(string) error {
		return func(verb string) error {
			is := err
			if verb == "patch" {
				err = nil
			}
			return is
		}
	}
	becomes := func(h *history, health string) { h.api.Lists["one"][0] = "v0 1 " + health }
	// The record was edited, and our write that followed has said so: the watch has only
	// told of the edit yet.
	behind := func(h *history, health string) {
		h.edit("v0", func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, "theirs", "x") })
		becomes(h, health)
		_ = h.leader.poller.Poll(h.ctx)
		h.work(h.leader, 10)
		h.sleep(2 * time.Second)
		h.tell(h.leader, 1)
	}
	// Another number of replicas is wanted: the first half alone makes the volume degraded. The
	// second half meets what is to become of it, once.
	halves := func(h *history, second *func(string) error, err error) {
		patches := 0
		*second = func(string) error {
			if patches++; patches == 2 {
				return err
			}
			return nil
		}
		h.api.Lists["one"][0] = replicated(1, 0, "online")
	}
	// So many replicas are wanted and there, and then so many: of that the first half tells what
	// the volume never was.
	between := func(h *history, from, to string, second *func(string) error, err error) {
		h.api.Lists["one"][0] = from
		h.polls(3)
		clear(h.events)
		halves(h, second, err)
		h.api.Lists["one"][0] = to
	}
	// A new volume has its record, of which the watch has not told when the volume changes.
	newcomer := func(h *history, lost func(string) error) {
		h.setPV(nil, boundPV("x", "x"))
		h.tell(h.leader, -1)
		for _, is := range []string{"x 1", "x 1 offline"} {
			h.api.Lists["one"] = append(h.api.Lists["one"][:40], is)
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.sleep(time.Second)
			h.work(h.leader, 10)
			h.records.lost = lost
		}
	}
	// The write fails. Of the next one the watch tells before it is answered, and a listing ends.
	overtaken := func(h *history) {
		h.records.fail = func(string) error { return errDown }
		becomes(h, "offline")
		_ = h.leader.poller.Poll(h.ctx)
		h.work(h.leader, 10)
		h.records.fail = nil
		h.records.after = func(string) {
			h.records.after = nil
			h.tell(h.leader, -1)
			_ = h.leader.poller.Poll(h.ctx)
		}
		h.sleep(time.Second)
		h.work(h.leader, 10)
	}
	for name, tc := range map[string]struct {
		tell func(*history)
		want counted
	}{
		"it is not lost": {func(h *history) { becomes(h, "offline") }, counted{policy.EventOffline: 1}},
		"it is lost": {func(h *history) {
			h.records.lost = once(errDown)
			becomes(h, "offline")
		}, counted{policy.EventOffline: 1}},
		"it is lost, and the watch is late": {func(h *history) {
			h.records.lost = once(errDown)
			becomes(h, "offline")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.sleep(time.Second)
			h.work(h.leader, 10) // tried again
		}, counted{policy.EventOffline: 1}},
		"it is lost, and the PersistentVolume is released": {func(h *history) {
			h.records.lost = once(errDown)
			becomes(h, "offline")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			pv := *h.pvs["v0"]
			pv.Phase = state.Intern(corev1.VolumeReleased)
			h.setPV(h.pvs["v0"], &pv)
		}, counted{policy.EventOffline: 1}},
		"it is lost, and the volume is well again": {func(h *history) {
			h.records.lost = once(errDown)
			becomes(h, "offline")
			h.polls(2)
			becomes(h, "online")
		}, counted{policy.EventOffline: 1, policy.EventHealthy: 1}},
		"it is lost, and the volume is well again before the watch tells": {func(h *history) {
			h.records.lost = once(errDown)
			becomes(h, "offline")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			becomes(h, "online")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
		}, counted{policy.EventOffline: 1, policy.EventHealthy: 1}},
		"it is lost, and the volume is well again on another node before the watch tells": {func(h *history) {
			h.records.lost = once(errDown)
			for _, health := range []string{"offline", "online n2"} {
				becomes(h, health)
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
			}
		}, counted{policy.EventOffline: 1, policy.EventHealthy: 1}},
		"it is lost, and the volume is well again, larger and then not, before the watch tells": {func(h *history) {
			h.records.lost = once(errDown)
			for _, is := range []string{"v0 1 offline", "v0 7 online", "v0 7 offline"} {
				h.api.Lists["one"][0] = is
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
			}
		}, counted{policy.EventOffline: 2, policy.EventHealthy: 1}},
		"it is lost, and the volume is well again and not, before the watch tells": {func(h *history) {
			h.records.lost = once(errDown)
			for _, health := range []string{"offline", "online", "offline"} {
				becomes(h, health)
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
			}
		}, counted{policy.EventOffline: 1}},
		"an earlier write is lost, which changes no health, and then it is": {func(h *history) {
			h.records.lost = func(string) error { return errDown }
			for _, is := range []string{"v0 7", "v0 7 offline"} {
				h.api.Lists["one"][0] = is
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
			}
			h.records.lost = nil
		}, counted{policy.EventOffline: 1}},
		"two writes are lost, and the second has read what the first left": {func(h *history) {
			h.records.lost = func(string) error { return errDown }
			for _, health := range []string{"offline", "online n2"} {
				becomes(h, health)
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
			}
			h.records.lost = nil
		}, counted{policy.EventOffline: 1, policy.EventHealthy: 1}},
		"it is lost, and two writes that have read it fail": {func(h *history) {
			h.records.lost = once(errDown)
			for _, health := range []string{"offline", "online n2", "offline n3"} {
				becomes(h, health)
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
				h.records.fail = func(string) error { return errDown }
			}
			h.records.fail = nil
		}, counted{policy.EventOffline: 1}},
		"the first half tells it, and the second is written": {func(h *history) {
			halves(h, &h.records.fail, nil)
		}, counted{policy.EventDegraded: 1}},
		"the first half tells it, and the second fails": {func(h *history) {
			halves(h, &h.records.fail, errDown)
		}, counted{policy.EventDegraded: 1}},
		"the first half tells it, and the second is lost": {func(h *history) {
			halves(h, &h.records.lost, errDown)
		}, counted{policy.EventDegraded: 1}},
		"the first half tells it, and the second conflicts": {func(h *history) {
			halves(h, &h.records.fail, apierrors.NewConflict(volumesResource, "v0", errDown))
		}, counted{policy.EventDegraded: 1}},
		"the first half tells it, the second fails, and the volume is well again": {func(h *history) {
			halves(h, &h.records.fail, errDown)
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			becomes(h, "online")
		}, counted{}},
		"the halves tell it together, and the second is written": {func(h *history) {
			between(h, replicated(1, 1, "online"), replicated(2, 2, "online"), &h.records.fail, nil)
		}, counted{}},
		"the halves tell it together, and the second fails": {func(h *history) {
			between(h, replicated(1, 1, "online"), replicated(2, 2, "online"), &h.records.fail, errDown)
		}, counted{}},
		"the halves tell it together, and the second is lost": {func(h *history) {
			between(h, replicated(1, 1, "online"), replicated(2, 2, "online"), &h.records.lost, errDown)
		}, counted{}},
		"the halves tell it together, and the second conflicts": {func(h *history) {
			between(h, replicated(2, 1, "online"), replicated(1, 0, "online"), &h.records.fail,
				apierrors.NewConflict(volumesResource, "v0", errDown))
		}, counted{}},
		"the halves tell it together, and a hand edits between them": {func(h *history) {
			between(h, replicated(1, 1, "online"), replicated(2, 2, "online"), &h.records.fail, nil)
			h.records.after = func(string) {
				h.records.after = nil
				h.edit("v0", func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, "theirs", "x") })
			}
		}, counted{}},
		"the first half tells that it is well, and the second that it is offline": {func(h *history) {
			between(h, replicated(2, 1, "online"), replicated(1, 1, "offline"), &h.records.fail, errDown)
		}, counted{policy.EventOffline: 1}},
		"the record is new to the watch": {func(h *history) { newcomer(h, nil) }, counted{policy.EventOffline: 1}},
		"the record is new to the watch, and it is lost": {func(h *history) {
			newcomer(h, once(errDown))
		}, counted{policy.EventOffline: 1}},
		"the write fails, a hand edits the record, and the volume is well again": {func(h *history) {
			h.records.fail = func(string) error { return errDown }
			becomes(h, "offline")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.records.fail = nil
			h.edit("v0", func(r *v1.Volume) { metav1.SetMetaDataAnnotation(&r.ObjectMeta, "theirs", "x") })
			becomes(h, "online")
		}, counted{}},
		"its second half is lost, and the watch tells the first": {func(h *history) {
			patches := 0
			h.records.lost = func(string) error {
				if patches++; patches == 2 {
					return errDown
				}
				return nil
			}
			h.api.Lists["one"][0] = "v0 7 offline"
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.tell(h.leader, 1)
			h.work(h.leader, 10)
		}, counted{policy.EventOffline: 1}},
		"it is lost, and the volume is away for a while": {func(h *history) {
			h.records.lost = once(errDown)
			becomes(h, "offline")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.api.Hidden = map[string]bool{"v0": true}
			h.polls(2)
			h.api.Hidden = nil
		}, counted{policy.EventOffline: 1}},
		"the watch is behind, and Kubernetes takes no writes": {func(h *history) {
			behind(h, "offline")
			h.records.fail = func(string) error { return errDown }
			h.leader.queue.Add("v0")
			h.work(h.leader, 10)
			h.records.fail = nil
		}, counted{policy.EventOffline: 1}},
		"the watch is behind, and what is read too": {func(h *history) {
			behind(h, "offline n2")
			h.records.stale = h.records.history[len(h.records.history)-2].obj
			h.leader.queue.Add("v0")
			h.work(h.leader, 10)
			h.records.stale = nil
		}, counted{policy.EventOffline: 1}},
		"the watch is behind, and the volume is well again": {func(h *history) {
			behind(h, "offline")
			becomes(h, "online")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
		}, counted{policy.EventOffline: 1, policy.EventHealthy: 1}},
		"the answer is overtaken": {overtaken, counted{policy.EventOffline: 1}},
		"the answer is overtaken, and lost": {func(h *history) {
			h.records.lost = once(errDown)
			overtaken(h)
		}, counted{policy.EventOffline: 1}},
		"the answer is overtaken, and the volume is well again": {func(h *history) {
			overtaken(h)
			becomes(h, "online")
		}, counted{policy.EventOffline: 1, policy.EventHealthy: 1}},
		"it is lost, and a listing ends before a worker knows what the watch tells": {func(h *history) {
			h.records.lost = once(errDown)
			becomes(h, "offline")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.tell(h.leader, -1)
			_ = h.leader.poller.Poll(h.ctx)
		}, counted{policy.EventOffline: 1}},
		"who led before has written and said it, and what is read is behind": {func(h *history) {
			h.records.stale = h.records.records["v0"]
			h.edit("v0", func(r *v1.Volume) { r.Status.Master.Health = "offline" })
			becomes(h, "offline n2")
			_ = h.leader.poller.Poll(h.ctx)
			h.work(h.leader, 10)
			h.records.stale = nil
		}, counted{}},
		"the write fails, and the volume is well again": {func(h *history) {
			h.records.fail = func(string) error { return errDown }
			becomes(h, "offline")
			h.polls(2)
			becomes(h, "online")
			h.polls(1)
			h.records.fail = nil
		}, counted{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 40, nil, func(h *history) {
				tc.tell(h)
				h.polls(8) // sync progress is remembered for half a minute
				if tr := h.leader.tracker.all["v0"]; tr != (policy.Memory{}) {
					t.Errorf("remembered: %+v", tr)
				}
			})
			if !maps.Equal(events, tc.want) {
				t.Errorf("events %v, want %v", events, tc.want)
			}
		})
	}
}
