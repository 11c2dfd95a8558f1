package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// for20min is how many polls twenty minutes have.
const for20min = 20 * 12

// What nobody has watched deletes nothing: whatever made a mark old, the listing that
// ends it is the first one of a new watch.
func TestHistoryNotWatched(t *testing.T) {
	t.Parallel()
	fails := func(h *history) {
		h.api.Fail = func(string, int) error { return errDown }
		h.polls(for20min)
		h.api.Fail = nil
	}
	answers := func(cluster string) func(*history) {
		return func(h *history) {
			h.api.ClusterID = cluster
			h.polls(for20min)
			h.api.ClusterID = "cluster"
		}
	}
	for name, meanwhile := range map[string]func(*history){
		"StorageOS fails":              fails,
		"another cluster answers":      answers("other"),
		"one that does not tell which": answers(""),
		"two others answer in turn":    func(h *history) { answers("other")(h); answers("third")(h) },
		"nobody leads":                 func(h *history) { h.sleep(20 * time.Minute); h.lead() },
		"another leads, and it fails":  func(h *history) { h.lead(); fails(h) },
		"the process stands still":     func(h *history) { h.sleep(20 * time.Minute) },
		"it does so in a listing": func(h *history) {
			listings := 0
			h.api.Fail = func(call string, _ int) error {
				if call == "namespaces" {
					if listings++; listings == 1 {
						time.Sleep(20 * time.Minute)
					}
				}
				return nil
			}
		},
		"a namespace fails": func(h *history) {
			h.api.Fail = func(call string, _ int) error { return map[string]error{"volumes two": errDown}[call] }
			h.polls(for20min)
			h.api.Fail = nil
		},
		"marks cannot be taken back": func(h *history) {
			lost := h.api.Lists["one"]
			h.api.Lists["one"] = h.all
			h.records.fail = func(string) error { return errDown }
			h.polls(for20min)
			h.records.fail = nil
			h.leader.queue.ShutDown() // so that nobody tries again before the list is wrong again
			h.lead()
			h.api.Lists["one"] = lost
		},
		"marks are set by hand": func(h *history) {
			for _, old := range h.records.records {
				obj := old.DeepCopy()
				obj.Annotations[v1.AnnotationAbsentSince] = "2001-01-01T00:00:00Z"
				h.records.store(old, obj)
			}
		},
	} {
		for _, tc := range []struct {
			kept  int // of 40 volumes
			polls int // without the others, before and after
			grace time.Duration
		}{
			{0, 1, 2 * time.Second},
			{0, 1, 0},
			{35, 3, 40 * time.Second}, // two intervals, a pause of three, two intervals
			{35, 1, time.Second},
		} {
			t.Run(fmt.Sprintf("%s, %d of 40 are lost, the grace is %v", name, 40-tc.kept, tc.grace), func(t *testing.T) {
				t.Parallel()
				if tc.grace == 0 && (name == "marks are set by hand" || name == "the process stands still" || name == "it does so in a listing") {
					t.SkipNow() // without a grace, the proof suffices
				}
				told(t, 40, func(s *Settings) { s.OrphanGracePeriod = tc.grace }, func(h *history) {
					h.api.NamespaceIDs = []string{"one", "two"}
					h.all = h.api.Lists["one"]
					h.polls(1)
					h.records.deleted = func(r *v1.Volume) { t.Errorf("record %s was deleted", r.Name) }
					h.keepVolumes(tc.kept)
					if tc.grace >= h.settings.PollInterval || tc.kept == 0 {
						h.polls(tc.polls)
					}
					meanwhile(h)
					h.polls(tc.polls)
					h.api.Lists["one"] = h.all
					h.polls(3)
					h.wantRecords(t, 40)
				})
			})
		}
	}
}

// wantRecords wants so many records, none of them marked.
func (h *history) wantRecords(t *testing.T, n int) {
	t.Helper()
	if len(h.records.records) != n {
		t.Errorf("%d records, want %d", len(h.records.records), n)
	}
	for name, r := range h.records.records {
		if mark := r.Annotations[v1.AnnotationAbsentSince]; mark != "" {
			t.Errorf("record %s is marked: %s", name, mark)
		}
	}
}

// Volumes that go are followed by their records: after the grace, after the hold if they
// are many and nothing explains it, and later where StorageOS fails now and then.
func TestHistoryWatched(t *testing.T) {
	t.Parallel()
	every3rd := func(h *history) {
		listing := 0
		h.api.Fail = func(call string, _ int) error {
			if call == "namespaces" {
				listing++
			}
			if listing%3 == 0 && strings.HasPrefix(call, "volumes ") {
				return errDown
			}
			return nil
		}
	}
	for name, tc := range map[string]struct {
		change       func(*Settings)
		tell         func(*history)
		kept         int // of 40 volumes
		still, polls int // after so many polls all records are there, and after so many they are gone
	}{
		"one goes":                          {nil, nil, 39, 3, 4},
		"without a grace":                   {func(s *Settings) { s.OrphanGracePeriod = 0 }, nil, 39, 0, 1},
		"all go":                            {nil, nil, 0, 120, 122},
		"all go, without a hold":            {func(s *Settings) { s.MassOrphanHold = 0 }, nil, 0, 3, 5},
		"every third listing fails":         {nil, every3rd, 39, 3, 6},
		"all go, and it fails now and then": {nil, every3rd, 0, 120, 190},
		"all go, and so did their PersistentVolumes": {nil, func(h *history) {
			for _, pv := range slices.Collect(maps.Values(h.pvs)) {
				h.setPV(pv, nil)
			}
		}, 0, 3, 5},
		"a slow interval": {func(s *Settings) { s.PollInterval, s.OrphanGracePeriod = 30*time.Second, 15*time.Second }, nil, 39, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, tc.change, func(h *history) {
				if tc.tell != nil {
					tc.tell(h)
				}
				h.keepVolumes(tc.kept)
				h.polls(tc.still)
				if n := len(h.records.records); n != 40 {
					t.Errorf("after %d polls there are %d records", tc.still, n)
				}
				h.polls(tc.polls - tc.still)
				if n := len(h.records.records); n != tc.kept {
					t.Errorf("after %d polls there are %d records", tc.polls, n)
				}
			})
		})
	}
}

// One listing deletes nothing if there is a grace, whatever timer fires before the next.
func TestHistoryOneListing(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{16 * time.Second, 30 * time.Second, time.Hour} {
		for _, grace := range []time.Duration{time.Millisecond, 15 * time.Second} {
			t.Run(fmt.Sprintf("interval %v, grace %v", interval, grace), func(t *testing.T) {
				t.Parallel()
				told(t, 40, func(s *Settings) { s.PollInterval, s.OrphanGracePeriod = interval, grace }, func(h *history) {
					h.records.deleted = func(r *v1.Volume) { t.Errorf("record %s was deleted", r.Name) }
					all := h.api.Lists["one"]
					h.keepVolumes(39)
					h.round()
					for range 10 {
						h.sleep(interval / 10)
						h.tell(h.leader, -1)
						h.work(h.leader, 100)
					}
					h.api.Lists["one"] = all
					h.polls(2)
					h.wantRecords(t, 40)
				})
			})
		}
	}
}

// The answers to a question prove something about the record that it was asked for, as it
// was then: what is edited meanwhile is asked for again.
func TestHistoryEditedWhileAsked(t *testing.T) {
	t.Parallel()
	edit := func(h *history, change func(*v1.Volume)) {
		old := h.records.records["v0"]
		obj := old.DeepCopy()
		change(obj)
		h.records.store(old, obj)
		h.tell(h.leader, -1)
	}
	namespace := func(id string) func(*v1.Volume) {
		return func(r *v1.Volume) { r.Annotations[v1.AnnotationNamespaceID] = id }
	}
	refer := func(namespaceID string) *state.PV {
		return &state.PV{
			PVSummary: state.PVSummary{Name: "pv", Phase: state.Intern(corev1.VolumeBound)}, UID: state.UIDOf(types.UID(namespaceID)), NamespaceID: state.Intern(namespaceID), VolumeID: "v0",
		}
	}
	for name, tc := range map[string]struct {
		before    func(*history)
		call      string // that is under way when it is edited
		meanwhile func(*history)
	}{
		"the namespace": {
			func(h *history) { edit(h, namespace("two")) }, "volume v0",
			func(h *history) { edit(h, namespace("one")) },
		},
		"the namespace, while the cluster is asked for": {
			func(h *history) { edit(h, namespace("two")) }, "cluster",
			func(h *history) { edit(h, namespace("one")) },
		},
		"the ID": {
			func(h *history) {
				edit(h, func(r *v1.Volume) { r.Labels[v1.LabelVolumeID], r.Status.VolumeID = "x", "x" })
			}, "volume x",
			func(h *history) {
				edit(h, func(r *v1.Volume) { r.Labels[v1.LabelVolumeID], r.Status.VolumeID = "v0", "v0" })
			},
		},
		"nothing, but the PersistentVolume is another": {
			func(h *history) {
				edit(h, func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationNamespaceID) })
				h.setPV(nil, refer("two"))
			}, "volume v0",
			func(h *history) {
				h.setPV(h.pvs["pv"], nil)
				h.setPV(nil, refer("one"))
				h.tell(h.leader, -1)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, func(s *Settings) { s.OrphanGracePeriod = 0 }, func(h *history) {
				h.api.NamespaceIDs = []string{"one", "two"}
				h.api.Lists["one"] = []string{"v0 1", "v1 1"}
				h.polls(4)
				h.records.deleted = func(r *v1.Volume) { t.Errorf("record %s was deleted", r.Name) }
				h.api.Hidden = map[string]bool{"v0": true}
				_ = h.leader.poller.Poll(h.ctx)
				h.tell(h.leader, -1)
				tc.before(h)
				asked := false
				h.api.Fail = func(call string, _ int) error {
					asked = asked || strings.HasPrefix(call, "volume ")
					if asked && call == tc.call {
						h.api.Fail = nil
						tc.meanwhile(h)
					}
					return nil
				}
				h.polls(5)
				if h.api.Fail != nil {
					t.Error("it was not edited meanwhile")
				}
				h.api.Hidden = nil
				h.polls(3)
				h.wantRecords(t, 2)
			})
		})
	}
}

// An answer that shows a volume ends its absence, though the list goes on without it.
func TestHistoryShownByAnswer(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.deleted = func(r *v1.Volume) { t.Errorf("record %s was deleted", r.Name) }
		h.api.Hidden = map[string]bool{"v0": true}
		h.polls(20)
		calls := h.api.Calls["volume v0"]
		if calls < 2 || calls > 6 {
			t.Errorf("it was asked for %d times in 20 polls: once in each grace it should be", calls)
		}
		h.api.Hidden = nil
		all := h.api.Lists["one"]
		h.keepVolumes(0) // now it is gone, but was not watched to be
		h.polls(1)
		h.api.Lists["one"] = all
		h.polls(3)
		h.wantRecords(t, 40)
	})
}

// A record whose PersistentVolume explains its absence does not wait behind those that
// nothing explains.
func TestHistoryExplainedFirst(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *history, pv *state.PV){
		"it is gone": func(h *history, pv *state.PV) { h.setPV(pv, nil) },
		"it was released": func(h *history, pv *state.PV) {
			is := *pv
			is.Phase = state.Intern(corev1.VolumeReleased)
			h.setPV(pv, &is)
		},
		"it is terminating": func(h *history, pv *state.PV) {
			is := *pv
			is.Terminating = true
			h.setPV(pv, &is)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const volumes = 100
			told(t, volumes, nil, func(h *history) {
				h.keepVolumes(0)
				h.leader.marks = newTurns(0) // all others are before it
				h.round()
				change(h, h.pvs["v99"])
				h.polls(6) // grace and two polls
				if n := len(h.records.records); n != volumes-1 || h.records.records["v99"] != nil {
					t.Errorf("%d records, v99 is there: %v", n, h.records.records["v99"] != nil)
				}
			})
		})
	}
}

// What Kubernetes tells is recorded though no listing is ever complete.
func TestHistoryKubernetesAlone(t *testing.T) {
	t.Parallel()
	released := func(h *history) {
		is := *h.pvs["v0"]
		is.Phase = state.Intern(corev1.VolumeReleased)
		h.setPV(h.pvs["v0"], &is)
	}
	for name, tc := range map[string]struct {
		change func(*history)
		want   string // reason of the condition Bound
	}{
		"it is released":           {released, "Released"},
		"it goes":                  {func(h *history) { h.setPV(h.pvs["v0"], nil) }, record.ReasonNoPersistentVolume},
		"it is released, and goes": {func(h *history) { released(h); h.setPV(h.pvs["v0"], nil) }, record.ReasonNoPersistentVolume},
	} {
		for _, call := range []string{"volumes two", "cluster", "namespaces"} {
			for _, leads := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s fails, one leads: %v", name, call, leads), func(t *testing.T) {
					t.Parallel()
					told(t, 3, nil, func(h *history) {
						h.api.NamespaceIDs = []string{"one", "two"}
						h.api.Fail = func(c string, _ int) error { return map[string]error{call: errDown}[c] }
						if leads {
							h.lead()
							h.polls(1)
							tc.change(h)
						} else {
							tc.change(h)
							h.lead()
						}
						h.polls(1)
						r := h.records.records["v0"]
						if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c.Reason != tc.want || call == "namespaces" && r.Status.PersistentVolume == nil {
							t.Errorf("Bound says %s, its PersistentVolume is %+v", c.Reason, r.Status.PersistentVolume)
						}
					})
				})
			}
		}
	}
}

// One namespace that never answers silences no event of the others. What was so before
// is not said.
func TestHistoryOneNamespaceSilent(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before, then string
		want         counted
	}{
		"offline":           {"v0 1", "v0 1 offline", counted{policy.EventOffline: 1}},
		"offline before":    {"v0 1 offline", "v0 2 offline", counted{}},
		"online":            {"v0 1 offline", "v0 1", counted{policy.EventHealthy: 1}},
		"degraded":          {"v0 1", "v0 1 online n1 7", counted{policy.EventDegraded: 1}},
		"it cannot be read": {"v0 1", "v0 18446744073709551615", counted{policy.EventInvalid: 1}},
	} {
		for _, call := range []string{"volumes two", "cluster"} {
			t.Run(name+", "+call+" fails", func(t *testing.T) {
				t.Parallel()
				got := told(t, 3, nil, func(h *history) {
					h.api.NamespaceIDs = []string{"one", "two"}
					h.api.Fail = func(c string, _ int) error { return map[string]error{call: errDown}[c] }
					others := h.api.Lists["one"][1:]
					h.api.Lists["one"] = append([]string{tc.before}, others...)
					h.lead()
					h.polls(3)
					h.api.Lists["one"] = append([]string{tc.then}, others...)
					h.polls(3)
				})
				if !maps.Equal(got, tc.want) {
					t.Errorf("events %v, want %v", got, tc.want)
				}
			})
		}
	}
}
