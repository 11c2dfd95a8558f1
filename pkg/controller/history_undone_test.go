package controller

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
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
