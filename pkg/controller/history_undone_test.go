package controller

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// undo is what somebody makes of each record as soon as it is written.
type undo func(r *v1.Volume)

// undoing lets somebody undo each write of v0, from now on.
func (h *history) undoing(is undo) (writes *int) {
	writes = new(int)
	edit := func() {
		old := h.records.records["v0"]
		if old == nil {
			return
		}
		obj := old.DeepCopy()
		is(obj)
		h.records.store(old, obj)
	}
	h.records.after = func(string) { *writes++; edit() }
	edit()
	return writes
}

// Who undoes each write of a record at once has it written less and less often, and nobody
// else waits for that. When that ends, the record is right within two polls.
func TestHistoryUndoneAtOnce(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	other := func() string { return fmt.Sprint(n.Add(1)) }
	for name, is := range map[string]undo{
		"the label":   func(r *v1.Volume) { delete(r.Labels, v1.LabelVolumeID) },
		"the cluster": func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationClusterID) },
		"the spec":    func(r *v1.Volume) { r.Spec.SizeBytes = 7 },
		"a condition": func(r *v1.Volume) { r.Status.Conditions = r.Status.Conditions[:1] },
		"the claim":   func(r *v1.Volume) { r.Status.PersistentVolume = nil },
		"its health":  func(r *v1.Volume) { r.Status.Health = v1.HealthOffline },
		"the master":  func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" },
		"its health, to something else each time": func(r *v1.Volume) { r.Status.Ready = other() },
		"the cluster, to another each time":       func(r *v1.Volume) { r.Annotations[v1.AnnotationClusterID] = other() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				want := *stateIn(h, "v0")
				writes := h.undoing(is)
				h.listings(12)                   // a minute
				if *writes < 6 || *writes > 20 { // a try may be two writes, or three
					t.Errorf("it was written %d times in a minute", *writes)
				}
				h.records.after = nil
				h.listings(2)
				if got := *stateIn(h, "v0"); got != want {
					t.Errorf("two polls later it says\n%+v, want\n%+v", got, want)
				}
				h.listings(3)
				if tr := h.leader.tracker.all["v0"]; tr != (policy.Memory{}) {
					t.Errorf("remembered: %+v", tr)
				}
			})
		})
	}
}

func stateIn(h *history, name string) *state.Summary {
	return &state.NewRecord(h.records.records[name]).Summary
}

// The mark of an absence is written no more often, and a record that has none is not deleted.
func TestHistoryMarkUndone(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.keepVolumes(0)
		h.api.Lists["one"] = nil
		for n := range 39 {
			h.api.Lists["one"] = append(h.api.Lists["one"], fmt.Sprintf("v%d 1", n+1))
		}
		h.records.deleted = func(*v1.Volume) { t.Error("it was deleted") }
		writes := h.undoing(func(r *v1.Volume) { delete(r.Annotations, v1.AnnotationAbsentSince) })
		h.listings(12)
		if *writes > 12 {
			t.Errorf("it was written %d times in a minute", *writes)
		}
	})
}

// What changes in turn is written at once: nobody undoes it.
func TestHistoryChangesInTurn(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		writes := 0
		h.records.after = func(string) { writes++ }
		const polls = 10
		for n := range polls {
			h.api.Lists["one"][0] = fmt.Sprint("v0 1 ", []string{"offline", "online"}[n%2])
			h.round()
			h.sleep(h.settings.PollInterval / 50)
		}
		if writes != polls {
			t.Errorf("%d writes for %d changes", writes, polls)
		}
	})
}

// What a listing has shown while a record waits for its turn is written then: the volume
// need not be asked for.
func TestHistoryListedWhileUndone(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.undoing(func(r *v1.Volume) { r.Spec.SizeBytes = 1 })
		h.api.Lists["one"][0] = "v0 2"
		h.round()
		asked := h.api.Calls["volume v0"]
		h.records.after = nil
		h.api.Lists["one"][0] = "v0 3"
		h.round()
		h.leader.queue.Add("v0") // something else about it
		h.work(h.leader, 10)
		h.sleep(2 * time.Second)
		h.work(h.leader, 10)
		if got := h.records.records["v0"].Spec.SizeBytes; got != 3 {
			t.Errorf("its record says %d bytes, want 3", got)
		}
		if n := h.api.Calls["volume v0"] - asked; n > 0 {
			t.Errorf("it was asked for %d times", n)
		}
	})
}

// Nor does anybody undo sync progress: what else changes of a volume that syncs is written
// at once, however often its progress is, and that as often as it may be.
func TestHistoryProgressIsNotUndone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		poll, progress, takes time.Duration
	}{
		"it is written at each listing": {5 * time.Second, 5 * time.Second, 0},
		"and listings are rare":         {30 * time.Second, 30 * time.Second, 0},
		"a listing takes long":          {5 * time.Second, 30 * time.Second, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 1, func(s *Settings) { s.PollInterval, s.ProgressInterval = tc.poll, tc.progress }, func(h *history) {
				h.api.Slow = map[string]time.Duration{"volumes one": tc.takes}
				left := 1000
				syncs := func() {
					left--
					h.api.Lists["one"][0] = fmt.Sprint("v0 1 online n1 ", left)
					h.polls(1)
				}
				for range 6 {
					syncs()
				}
				writes := h.records.writes
				for range 12 {
					syncs()
				}
				if n := h.records.writes - writes; n != 12 {
					t.Errorf("%d writes of 12 changes", n)
				}
				left--
				h.api.Lists["one"][0] = fmt.Sprint("v0 1 online n1 ", left)
				h.round()
				h.release()
				h.tell(h.leader, -1)
				h.work(h.leader, 100)
				if is := stateIn(h, "v0").Bound.Value().Reason; is != "Released" {
					t.Errorf("just after its progress the record of the volume says that it is %s", is)
				}
			})
		})
	}
}

// Progress that something keeps from being stored is written as often as any.
func TestHistoryProgressDropped(t *testing.T) {
	t.Parallel()
	told(t, 1, nil, func(h *history) {
		h.records.drops = func(r *v1.Volume) {
			for i := range r.Status.Replicas {
				r.Status.Replicas[i].SyncProgress = nil
			}
		}
		const minutes = 5
		writes := h.attempts()
		for left := range int(minutes * time.Minute / h.settings.PollInterval) {
			h.api.Lists["one"] = []string{fmt.Sprint("v0 1 online n1 ", 100-left)}
			h.listings(1)
		}
		if n, most := h.attempts()-writes, 1+int(minutes*time.Minute/h.settings.ProgressInterval); n > most {
			t.Errorf("%d writes in %d minutes, want no more than %d", n, minutes, most)
		}
	})
}

const twoCopies = `{"id":"v0","name":"v0","namespaceID":"one","sizeBytes":1,"master":{"health":"online","nodeID":"n1"},"replicas":[{"id":"r","health":"ready","nodeID":"n2"}]}`

// Who gives a replica that does not sync a progress has it taken away as often as any is written.
func TestHistoryProgressInjected(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]int64{"the same": 0, "another each time": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 1, nil, func(h *history) {
				h.api.Lists["one"][0] = twoCopies
				h.listings(3)
				left := int64(7)
				asked := h.asked("v0")
				writes := h.undoing(func(r *v1.Volume) {
					left += other
					r.Status.Replicas[0].SyncProgress = &v1.SyncProgress{BytesRemaining: left}
				})
				h.listings(12) // a minute
				if n := h.asked("v0") - asked; *writes > 4 || n > 4 {
					t.Errorf("it was written %d times in a minute, and asked for %d times", *writes, n)
				}
				h.records.after = nil
				h.listings(14)
				if is := h.records.records["v0"].Status.Replicas[0].SyncProgress; is != nil {
					t.Errorf("in the end: %+v", is)
				}
				if tr := h.leader.tracker.all["v0"]; tr != (policy.Memory{}) {
					t.Errorf("remembered: %+v", tr)
				}
			})
		})
	}
}

// Who deletes each record as soon as it is there has it made less and less often.
func TestHistoryDeletedAtOnce(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]string{"when it is created": metrics.VerbCreate, "when it has its status": metrics.VerbPatch} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				made := 0
				h.records.after = func(verb string) {
					if r := h.records.records["v0"]; r != nil && verb == on {
						made++
						h.records.store(r, nil)
					}
				}
				h.records.store(h.records.records["v0"], nil)
				h.listings(12) // a minute
				if made < 6 || made > 20 {
					t.Errorf("it was made %d times in a minute", made)
				}
				h.records.after = nil
				h.listings(5)
				if tr := h.leader.tracker.all["v0"]; h.records.records["v0"] == nil || tr != (policy.Memory{}) {
					t.Errorf("in the end: record %v, remembered %+v", h.records.records["v0"], tr)
				}
			})
		})
	}
}

// What is written against somebody who changes also what is left as the record says it is paced
// too.
func TestHistoryUndoneWhereTheRecordDecides(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Settings)
		tell   func(*history)
	}{
		"it cannot be recorded": {nil, func(h *history) { h.api.Lists["one"][0] = "v0 large" }},
		"nobody knows whether it is there": {nil, func(h *history) {
			h.api.Fail = func(string, int) error { return errDown }
			h.lead()
		}},
		"it is absent": {func(s *Settings) { s.DeleteOrphans = false }, func(h *history) { h.api.Lists["one"] = h.api.Lists["one"][1:] }},
	} {
		for what, is := range map[string]func(r *v1.Volume, n int){
			"the claim and the master": func(r *v1.Volume, n int) {
				r.Status.PersistentVolume, r.Status.Master.NodeID = nil, fmt.Sprint("x", n)
			},
			"the claim and the size": func(r *v1.Volume, n int) { r.Status.PersistentVolume, r.Spec.SizeBytes = nil, int64(n) },
			"the mark and the size": func(r *v1.Volume, n int) {
				if r.Spec.SizeBytes = int64(n); r.Annotations[v1.AnnotationAbsentSince] != "" {
					delete(r.Annotations, v1.AnnotationAbsentSince)
				} else {
					r.Annotations[v1.AnnotationAbsentSince] = "2001-01-01T00:00:00Z"
				}
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				told(t, 20, tc.change, func(h *history) {
					tc.tell(h)
					h.listings(2)
					n := 0
					writes := h.undoing(func(r *v1.Volume) { n++; is(r, n) })
					h.listings(12) // a minute
					if *writes > 20 {
						t.Errorf("it was written %d times in a minute", *writes)
					}
				})
			})
		}
	}
}

// Somebody undoes each write, and the volume or its claim changes every half a minute: the record
// is not believed while it is wrong.
func TestHistoryUndoneWhileItChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *history, n int){
		"the volume": func(h *history, n int) { h.api.Lists["one"][0] = fmt.Sprint("v0 ", 1+n%2, " offline") },
		"its claim": func(h *history, n int) {
			h.changedPV("v0", func(pv *state.PV) { pv.ClaimName = fmt.Sprint(n % 2) })
		},
	} {
		for _, later := range []time.Duration{0, 100 * time.Millisecond, 2 * time.Second} {
			t.Run(fmt.Sprint(name, ", undone after ", later), func(t *testing.T) {
				t.Parallel()
				told(t, 3, nil, func(h *history) {
					h.api.Lists["one"][0] = "v0 1 offline"
					h.listings(3)
					wrong := func() bool { return h.records.records["v0"].Status.Master.Health == "online" }
					var due []time.Time
					h.records.after = func(string) {
						if !wrong() {
							due = append(due, time.Now().Add(later))
						}
					}
					undo := func() {
						if len(due) > 0 && !time.Now().Before(due[0]) {
							due = nil
							h.edit("v0", func(r *v1.Volume) { r.Status.Master.Health = "online" })
						}
					}
					due = []time.Time{time.Now()}
					believed := 0
					const step = 100 * time.Millisecond
					for n := range int(5 * time.Minute / step) {
						if every := int(30 * time.Second / step); n%every == 0 {
							change(h, n/every)
						}
						if n%int(h.settings.PollInterval/step) == 0 {
							_ = h.leader.poller.Poll(h.ctx)
						}
						for h.leader.recordsTold < len(h.records.history) || h.leader.pvsTold < len(h.pvTold) || h.leader.queue.Len() > 0 {
							h.tell(h.leader, 1) // its own write is told, and looked at, before that of somebody else
							h.work(h.leader, 10)
							if undo(); later == 0 {
								break
							}
						}
						undo()
						if n > int(70*time.Second/step) && wrong() && len(h.doubts()) == 0 {
							believed++
						}
						h.sleep(step)
					}
					if believed > 0 {
						t.Errorf("it was wrong and believed at %d looks", believed)
					}
				})
			})
		}
	}
}
