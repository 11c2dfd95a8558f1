package controller

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// quiet is a poll while the watch of records tells nothing. v0 is worked on.
func (h *history) quiet() {
	h.tellPVs()
	_ = h.leader.poller.Poll(h.ctx)
	h.leader.queue.Add("v0")
	h.work(h.leader, 100)
}

// afterFirst fails every write but the first.
func afterFirst(err error) func(string) error {
	writes := 0
	return func(string) error {
		if writes++; writes > 1 {
			return err
		}
		return nil
	}
}

// tellPVs tells the leader of PersistentVolumes alone.
func (h *history) tellPVs() {
	records := h.records.history
	h.records.history = records[:h.leader.recordsTold]
	h.tell(h.leader, -1)
	h.records.history = records
}

// A write fails, and the volume is again as the cache has its record: what the write may have
// left of it is found out, though the watch tells nothing.
func TestHistoryUndoneBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		writes func(h *history) // how they fail
		change func(h *history) // until it is taken back
		back   func(h *history)
	}{
		"its answer is lost": {
			func(h *history) { h.records.lost = func(string) error { return errDown } },
			func(h *history) { h.api.Lists["one"][0] = "v0 7 offline" },
			func(h *history) { h.api.Lists["one"][0] = "v0 1" },
		},
		"the answer to a mark is lost": {
			func(h *history) { h.records.lost = func(string) error { return errDown } },
			func(h *history) { h.api.Hidden = map[string]bool{"v0": true} },
			func(h *history) { h.api.Hidden = nil },
		},
		"the answer to a release is lost": {
			func(h *history) { h.records.lost = func(string) error { return errDown } },
			(*history).release,
			func(h *history) { h.phase(corev1.VolumeBound) },
		},
		"the answer to the first half is lost, and the next write fails": {
			func(h *history) { h.records.lost = func(string) error { return errDown } },
			func(h *history) { h.api.Lists["one"][0] = "v0 7 offline" },
			func(h *history) {
				h.records.lost, h.records.fail = nil, func(string) error { return errDown }
				h.api.Lists["one"][0] = "v0 9"
				h.quiet() // it has read what the first has left
				h.api.Lists["one"][0] = "v0 1"
			},
		},
		"a hand edits the record, and the write after that is not taken": {
			func(h *history) {
				h.edit("v0", func(r *v1.Volume) { r.Spec.SizeBytes = 9 })
				h.records.fail = afterFirst(errDown) // which conflicts
			},
			func(h *history) { h.api.Lists["one"][0] = "v0 1 offline" },
			func(h *history) { h.api.Lists["one"][0] = "v0 1" },
		},
		"its second half is not taken": {
			func(h *history) { h.records.fail = afterFirst(errDown) },
			func(h *history) { h.api.Lists["one"][0] = "v0 7 offline" },
			func(h *history) { h.api.Lists["one"][0] = "v0 1" },
		},
		"the second half of a mark conflicts": {
			func(h *history) {
				h.records.after = func(string) {
					h.records.after = nil
					h.edit("v0", func(r *v1.Volume) { r.Annotations["theirs"] = "x" })
				}
			},
			func(h *history) { h.api.Hidden = map[string]bool{"v0": true} },
			func(h *history) { h.api.Hidden = nil },
		},
		"the second half of a mark conflicts, though nobody writes": {
			func(h *history) { h.records.fail = afterFirst(apierrors.NewConflict(volumesResource, "v0", errDown)) },
			func(h *history) { h.api.Hidden = map[string]bool{"v0": true} },
			func(h *history) { h.api.Hidden = nil },
		},
		"its second half is refused": {
			func(h *history) { h.records.fail = afterFirst(refuse) },
			func(h *history) { h.api.Lists["one"][0] = "v0 7 offline" },
			func(h *history) { h.api.Lists["one"][0] = "v0 1" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, nil, func(h *history) {
				want := *stateIn(h, "v0")
				tc.writes(h)
				tc.change(h)
				h.quiet()
				tc.back(h)
				h.quiet()
				h.records.fail, h.records.lost = nil, nil
				for range 14 { // what was refused is written again after a minute
					h.sleep(h.settings.PollInterval)
					h.quiet()
				}
				if got := *stateIn(h, "v0"); got != want {
					t.Errorf("14 polls later it says\n%+v, want\n%+v", got, want)
				}
				reads := h.records.reads
				h.polls(4)
				if tr := h.leader.tracker.all["v0"]; tr != (policy.Memory{}) || h.records.reads != reads {
					t.Errorf("it is read %d times more, and remembered: %+v", h.records.reads-reads, tr)
				}
			})
		})
	}
}

// The same, though StorageOS does not answer for single volumes.
func TestHistoryUnansweredAndNotAskedFor(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(h *history){
		"release": nil, "mark": func(h *history) { h.api.Hidden = nil },
		"release, and the volume changes": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, nil, func(h *history) {
				h.api.Fail = func(call string, _ int) error {
					if call == "volume v0" {
						return errDown
					}
					return nil
				}
				want := *stateIn(h, "v0")
				h.records.lost = func(string) error { return errDown }
				if back != nil {
					h.api.Hidden = map[string]bool{"v0": true}
					h.quiet()
					back(h)
				} else {
					h.release()
					h.quiet()
					h.phase(corev1.VolumeBound)
				}
				if name == "release, and the volume changes" { // what it is now cannot be had
					h.leader.contents.Limit(0)
					h.api.Lists["one"][0] = "v0 7"
				}
				h.quiet()
				h.records.lost = nil
				for range 14 {
					h.sleep(h.settings.PollInterval)
					h.quiet()
				}
				if got := *stateIn(h, "v0"); got != want {
					t.Errorf("it says\n%+v\nwant\n%+v", got, want)
				}
			})
		})
	}
}

// The answer to a write is lost, the watch is quiet, and then the volume goes: it is marked.
func TestHistoryMarkAfterUnanswered(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.lost = func(string) error { return errDown }
		h.api.Lists["one"][0] = "v0 7"
		h.quiet()
		h.records.lost = nil
		h.api.Hidden = map[string]bool{"v0": true}
		for range 36 {
			h.sleep(h.settings.PollInterval)
			h.quiet()
		}
		if h.records.records["v0"].Annotations[v1.AnnotationAbsentSince] == "" {
			t.Errorf("3 minutes later its record is not marked; %d reads", h.records.reads)
		}
	})
}

// A mark that may have been stored is not taken back while it is not its turn to be marked, also
// if its PersistentVolume changes meanwhile.
func TestHistoryMassMarkUnanswered(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		every   int
		retains bool
	}{
		"the first half is lost": {1, false}, "the second half is lost": {2, false},
		"the first half is lost, and PersistentVolumes are released and retained":  {1, true},
		"the second half is lost, and PersistentVolumes are released and retained": {2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 60, nil, func(h *history) {
				n := 0
				h.records.lost = func(string) error {
					if n++; n <= 20*tc.every && n%tc.every == 0 {
						return errDown
					}
					return nil
				}
				h.keepVolumes(0)
				from := len(h.records.history)
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 60)
				if tc.retains {
					for _, was := range h.pvs {
						pv := *was
						pv.Phase, pv.ReclaimPolicy = state.Intern(corev1.VolumeReleased), state.Intern(corev1.PersistentVolumeReclaimRetain)
						h.setPV(was, &pv)
					}
					h.tellPVs()
				}
				for range 4 {
					h.sleep(150 * time.Millisecond)
					h.work(h.leader, 60)
				}
				h.polls(8)
				marks, well := 0, 0
				for _, c := range h.records.history[from:] {
					if c.obj == nil || c.old == nil {
						continue
					}
					if c.old.Annotations[v1.AnnotationAbsentSince] != "" && c.obj.Annotations[v1.AnnotationAbsentSince] == "" {
						marks++
					}
					if c.old.Status.Health == v1.HealthUnknown && c.obj.Status.Health == v1.HealthHealthy {
						well++
					}
				}
				if marks+well > 0 {
					t.Errorf("%d marks were taken back, and %d records say again that their volume is well, though no volume is back", marks, well)
				}
			})
		})
	}
}

// What is refused is tried again after a minute, also where the write before it was not answered.
func TestHistoryRefusedAfterUnanswered(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(h *history){
		"unknown": func(h *history) {
			h.lead()
			h.api.Fail = func(string, int) error { return errDown }
			h.polls(2)
			h.release()
		},
		"invalid": func(h *history) {
			h.api.Lists["one"][0] = "v0 18446744073709551615"
			h.polls(2)
			h.release()
		},
		"present": func(h *history) { h.release() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				tell(h)
				h.records.fail = func(string) error { return errDown }
				h.tell(h.leader, -1)
				h.work(h.leader, 10)
				tried := 0
				h.records.fail = func(string) error { tried++; return refuse }
				h.polls(12)
				if tried > 4 {
					t.Errorf("it was tried %d times in a minute", tried)
				}
			})
		})
	}
}

// PersistentVolumes change while Kubernetes takes no writes: StorageOS need not be asked.
func TestHistoryUnansweredAsksNothing(t *testing.T) {
	t.Parallel()
	for _, kept := range []int{source.MaxPayloads, 0} {
		t.Run(fmt.Sprint(kept), func(t *testing.T) {
			t.Parallel()
			told(t, 50, nil, func(h *history) {
				h.leader.contents.Limit(kept)
				h.records.fail = func(string) error { return errDown }
				for n := range 50 {
					pv := *h.pvs[fmt.Sprint("v", n)]
					pv.Phase = state.Intern(corev1.VolumeReleased)
					h.setPV(h.pvs[fmt.Sprint("v", n)], &pv)
				}
				asked := h.askedByID()
				h.listings(24)
				if n := h.askedByID() - asked; n > 0 {
					t.Errorf("StorageOS was asked %d times for volumes that have not changed", n)
				}
			})
		})
	}
}

// What a failed write may have left is found out without StorageOS, and then forgotten.
func TestHistoryUnansweredAtRest(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.fail = func(string) error { return errDown }
		h.api.Lists["one"][0] = "v0 7"
		h.polls(2)
		h.api.Lists["one"][0] = "v0 1"
		h.leader.contents.Limit(0)
		h.api.Fail = func(call string, _ int) error {
			if call == "volume v0" {
				return errDown
			}
			return nil
		}
		h.records.fail = nil
		asked := h.askedByID()
		h.polls(12 * 30)
		if n := h.askedByID() - asked; n > 12 {
			t.Errorf("in half an hour StorageOS was asked %d times for a volume whose record is right", n)
		}
		if tr := h.leader.tracker.all["v0"]; tr != (policy.Memory{}) {
			t.Errorf("and what is remembered is %+v", tr.Unanswered)
		}
	})
}

// A write of what Kubernetes tells has failed once, and StorageOS is slow to answer for single
// volumes: it is written again without waiting for that.
func TestHistoryRetryWaitsForNothing(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.api.Slow = map[string]time.Duration{"volume v0": 29 * time.Second}
		h.manyWorkers(func(pass func(polls int), is *guarded) {
			var failed atomic.Bool
			is.mu.Lock()
			h.records.fail = func(string) error {
				if failed.CompareAndSwap(false, true) {
					return errDown
				}
				return nil
			}
			is.mu.Unlock()
			pv := *h.pvs["v0"]
			pv.Phase, pv.ReclaimPolicy = state.Intern(corev1.VolumeReleased), state.Intern(corev1.PersistentVolumeReclaimRetain)
			h.setPV(h.pvs["v0"], &pv)
			pass(4)
			is.mu.Lock()
			if got := stateIn(h, "v0").Bound.Value().Reason; got != "Released" {
				t.Errorf("one write failed; four polls later its record says %q, want Released", got)
			}
			is.mu.Unlock()
			pass(4)
		})
	})
}

// What was written and the watch does not tell is not forgotten at a resync.
func TestHistoryResyncQuietWatch(t *testing.T) {
	t.Parallel()
	for name, byID := range map[string]error{"the listing of the resync": nil, "StorageOS does not answer for single volumes": errDown} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, func(s *Settings) { s.ResyncInterval = time.Minute }, func(h *history) {
				h.api.Fail = func(call string, _ int) error {
					if call == "volume v0" {
						return byID
					}
					return nil
				}
				quiet := func(polls int) {
					for range polls {
						_ = h.leader.poller.Poll(h.ctx)
						h.work(h.leader, 100)
						h.sleep(h.settings.PollInterval)
					}
				}
				h.api.Lists["one"][0] = "v0 7"
				quiet(1)
				if n := h.records.records["v0"].Spec.SizeBytes; n != 7 {
					t.Fatalf("%d", n)
				}
				for time.Since(h.leader.resynced) < time.Minute {
					quiet(1)
				}
				if byID != nil {
					quiet(1)
				}
				h.api.Lists["one"][0] = "v0 1"
				quiet(9) // shorter than until the next resync
				if n := h.records.records["v0"].Spec.SizeBytes; n != 1 {
					t.Errorf("45 s after it was listed with 1 byte, its record says %d", n)
				}
				quiet(24)
				if n := h.records.records["v0"].Spec.SizeBytes; n != 1 {
					t.Errorf("and 2 minutes later %d", n)
				}
			})
		})
	}
}

// Nor does a mark move.
func TestHistoryResyncMovesNoMark(t *testing.T) {
	t.Parallel()
	told(t, 40, func(s *Settings) { s.ResyncInterval = time.Minute; s.DeleteOrphans = false }, func(h *history) {
		h.api.Hidden = map[string]bool{"v0": true}
		quiet := func(polls int) {
			for range polls {
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 100)
				h.sleep(h.settings.PollInterval)
			}
		}
		quiet(2)
		was := h.records.records["v0"].Annotations[v1.AnnotationAbsentSince]
		quiet(30)
		if is := h.records.records["v0"].Annotations[v1.AnnotationAbsentSince]; is != was {
			t.Errorf("the mark was %s and is %s", was, is)
		}
	})
}

// A write fails, the record goes, and another volume's has its name: what that one says is
// not said of the first.
func TestHistoryUnansweredOfAnother(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"not stored": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 3, nil, func(h *history) {
				fails := func(string) error { return errDown }
				if lost {
					h.records.lost = fails
				} else {
					h.records.fail = fails
				}
				h.api.Lists["one"][0] = "v0 1 offline"
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
				h.records.fail, h.records.lost = nil, nil
				was := h.records.records["v0"]
				h.records.store(was, nil)
				other := was.DeepCopy()
				other.UID = "another"
				other.Labels[v1.LabelVolumeID], other.Status.VolumeID = "v1000", "v1000"
				other.Status.Master.Health = "offline"
				h.records.store(nil, other)
				h.api.Lists["one"][0] = "v0 1"
				h.sleep(time.Second)
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
			})
			if len(events) > 0 {
				t.Errorf("said: %v", events)
			}
		})
	}
}
