package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What Kubernetes tells of a PersistentVolume does not wait until the record of its
// volume, one of many that are gone, is marked.
func TestHistoryMassKubernetesAlone(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.leader.marks = newTurns(0) // all others come first
		pv := *h.pvs["v39"]
		pv.ReclaimPolicy = state.Intern(corev1.PersistentVolumeReclaimRetain)
		h.setPV(h.pvs["v39"], &pv)
		h.polls(2)
		h.keepVolumes(0)
		h.polls(2)
		released := pv
		released.Phase = state.Intern(corev1.VolumeReleased)
		h.setPV(&pv, &released)
		h.polls(2)
		r := h.records.records["v39"]
		if c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound); c.Reason != "Released" {
			t.Errorf("Bound says %s, and the PersistentVolume was released", c.Reason)
		}
		if r.Annotations[v1.AnnotationAbsentSince] != "" {
			t.Error("it is marked, and its mark was to wait")
		}
	})
}

// Records that are held count as such before their marks are written, which takes its
// time.
func TestHistoryMassHeldBeforeMarked(t *testing.T) {
	t.Parallel()
	const volumes = 1000
	told(t, volumes, nil, func(h *history) {
		h.keepVolumes(0)
		for range 8 { // 40 s: the grace is over
			_ = h.leader.poller.Poll(h.ctx)
			for range 5 {
				h.tell(h.leader, -1)
				h.work(h.leader, 2*volumes)
				h.sleep(time.Second)
			}
		}
		marked := h.marked()
		if marked == volumes {
			t.Fatal("all are marked")
		}
		if n := h.leader.tracker.held[policy.HeldMass]; n != volumes {
			t.Errorf("%d of %d records past their grace are counted as held, %d are marked", n, volumes, marked)
		}
	})
}

func (h *history) marked() (n int) {
	for _, r := range h.records.records {
		if r.Annotations[v1.AnnotationAbsentSince] != "" {
			n++
		}
	}
	return n
}

// Marks that wait for their turn take it at their rate, however often StorageOS is listed,
// and are looked at once after each listing.
func TestHistoryMassMarksWait(t *testing.T) {
	t.Parallel()
	const volumes, half = 1000, 25 * time.Second
	for _, interval := range []time.Duration{500 * time.Millisecond, time.Second, 5 * time.Second, 12500 * time.Millisecond} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			told(t, volumes, func(s *Settings) { s.PollInterval = interval }, func(h *history) {
				h.keepVolumes(0)
				for range half / interval {
					_ = h.leader.poller.Poll(h.ctx)
					looks := 0
					for range 50 {
						h.tell(h.leader, -1)
						looks += h.leader.queue.Len()
						h.work(h.leader, 2*volumes)
						h.sleep(interval / 50)
					}
					if looks > 3*volumes { // each that is marked twice more, and all once more when the grace is over
						t.Errorf("%d looks at %d volumes after one listing", looks, volumes)
					}
				}
				if n := h.marked(); n < volumes*4/10 || n > volumes*8/10 {
					t.Errorf("%d of %d are marked after %v", n, volumes, half)
				}
			})
		})
	}
}

// So do they while listings take long, or fail.
func TestHistoryMassMarksBetweenListings(t *testing.T) {
	t.Parallel()
	const volumes = 1000
	for name, then := range map[string]func(*history){
		"a listing takes a minute": func(h *history) { h.api.Slow = map[string]time.Duration{"volumes one": time.Minute} },
		"one does not end":         func(h *history) { h.api.Slow = map[string]time.Duration{"volumes one": time.Hour} },
		"listings fail": func(h *history) {
			h.api.Fail = func(call string, _ int) error {
				if call == "volumes one" {
					return errDown
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, nil, func(h *history) {
				h.keepVolumes(0)
				_ = h.leader.poller.Poll(h.ctx)
				then(h)
				listing, end := context.WithCancel(h.ctx)
				var wg sync.WaitGroup
				wg.Go(func() { h.leader.poller.Run(listing) })
				defer wg.Wait()
				defer end()
				h.manyWorkers(func(_ func(int), is *guarded) {
					h.sleep(25 * time.Second)
					is.mu.Lock()
					defer is.mu.Unlock()
					if n := h.marked(); n < volumes*4/10 || n > volumes*6/10 {
						t.Errorf("%d of %d are marked after 25 s", n, volumes)
					}
				})
			})
		})
	}
}

// The log says why deletions are held, and says so again when it is another reason: not
// at each number.
func TestHistoryHoldOfAnotherKind(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		var said []string
		h.leader.logger = funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{})
		all := h.api.Lists["one"]
		h.keepVolumes(10)
		h.polls(6)
		h.keepVolumes(5)
		h.polls(6)
		h.api.ClusterID, h.api.Lists["one"] = "other", nil
		h.polls(6)
		h.api.ClusterID, h.api.Lists["one"] = "cluster", all
		h.polls(6)
		said = slices.DeleteFunc(said, func(line string) bool { return !strings.Contains(line, "held") })
		want := []string{"Deletions of records are held", "for another reason", "no longer held"}
		if len(said) != len(want) {
			t.Fatalf("it said:\n%s", strings.Join(said, "\n"))
		}
		for n, line := range said {
			if !strings.Contains(line, want[n]) {
				t.Errorf("it said %q, want %q", line, want[n])
			}
		}
	})
}

// Volumes have outlived their PersistentVolumes, as listings have shown. When they are lost
// later, those do not explain it, whatever their records say: it could not be written that
// the PersistentVolumes went, or a hand has written one that never was.
func TestHistoryMassOutlived(t *testing.T) {
	t.Parallel()
	fails := func(h *history) { h.records.fail = func(string) error { return errDown } }
	for name, tc := range map[string]struct {
		before, lost func(*history)
	}{
		"it was written":                          {nil, nil},
		"it could not be written":                 {fails, nil},
		"it was refused":                          {func(h *history) { h.records.fail = func(string) error { return refuse } }, nil},
		"it could not be, and then another leads": {fails, func(h *history) { h.records.fail = nil; h.polls(3); h.lead() }},
		"they could not be recorded, and nor could that": {func(h *history) {
			for n := range 30 {
				h.api.Lists["one"][n] = fmt.Sprintf("v%d 18446744073709551615", n)
			}
			h.polls(1)
			fails(h)
		}, nil},
		"a hand has written one": {nil, func(h *history) {
			for n := range 30 {
				old := h.records.records[fmt.Sprint("v", n)]
				obj := old.DeepCopy()
				obj.Status.PersistentVolume = &v1.PersistentVolumeStatus{Name: "by-hand"}
				h.records.store(old, obj)
			}
			h.polls(2)
			if is := h.records.records["v0"].Status.PersistentVolume; is != nil {
				h.test.Errorf("what the hand has written stays: %+v", is)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, nil, func(h *history) {
				h.test = t
				if tc.before != nil {
					tc.before(h)
				}
				for n := range 30 {
					h.setPV(h.pvs[fmt.Sprint("v", n)], nil)
				}
				h.polls(3)
				h.api.Lists["one"] = h.api.Lists["one"][30:]
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 100)
				if tc.lost != nil {
					tc.lost(h)
				}
				h.records.fail = nil
				h.polls(12)
				if n := len(h.records.records); n != 40 {
					t.Errorf("%d of 40 records are left a minute after 30 volumes were lost (%q)", n, h.leader.tracker.breaker.Why)
				}
			})
		})
	}
}

// A listing begun after the PersistentVolumes of volumes went shows that these outlived
// them: a new leader's first too, or one that shows them again. When they are lost after
// it, those do not explain it.
func TestHistoryMassOutlivedByOneListing(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(h *history, gone func()){
		"a new leader's first": func(h *history, gone func()) {
			gone()
			h.lead()
			h.polls(1)
		},
		"the first that does not fail": func(h *history, gone func()) {
			h.lead()
			h.api.Fail = func(string, int) error { return errDown }
			h.polls(1)
			gone()
			h.polls(1)
			h.api.Fail = nil
			h.polls(1)
		},
		"the first that shows them again": func(h *history, gone func()) {
			h.api.Hidden = map[string]bool{}
			for n := range 30 {
				h.api.Hidden[fmt.Sprint("v", n)] = true
			}
			h.polls(2)
			gone()
			h.polls(1)
			h.api.Hidden = nil
			h.polls(1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 40, nil, func(h *history) {
				h.api.Takes = 10 * time.Millisecond // so that what a listing shows is looked at after its begin
				tell(h, func() {
					for n := range 30 {
						h.setPV(h.pvs[fmt.Sprint("v", n)], nil)
					}
				})
				h.api.Lists["one"] = h.api.Lists["one"][30:]
				h.polls(12)
				if n := len(h.records.records); n != 40 {
					t.Errorf("%d of 40 records are left a minute after 30 volumes were lost (%q)", n, h.leader.tracker.breaker.Why)
				}
			})
		})
	}
}

// PersistentVolumes that went while nobody led explain that no listing since then has
// shown their volumes.
func TestHistoryMassExplainedBeforeLeading(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.api.Takes = 10 * time.Millisecond
		for n := range 30 {
			h.setPV(h.pvs[fmt.Sprint("v", n)], nil)
		}
		h.api.Lists["one"] = h.api.Lists["one"][30:]
		h.lead()
		h.polls(12)
		if n := len(h.records.records); n != 10 {
			t.Errorf("%d records a minute after 30 of 40 volumes and their PersistentVolumes went (%q)", n, h.leader.tracker.breaker.Why)
		}
	})
}
