package controller

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// manyWorkers lets as many work as the settings say while something is told, which takes
// its time by pass.
func (h *history) manyWorkers(tell func(pass func(polls int), is *guarded)) {
	is := &guarded{memory: h.records}
	h.leader.writesTo(is)
	h.leader.asker = source.NewAsker(h.leader.asker.API, h.leader.view, source.ParallelQuestions)
	h.leader.events = &oneAtATime{to: h.events}
	ctx, cancel := context.WithCancel(h.ctx)
	var wg sync.WaitGroup
	for range h.settings.Workers {
		wg.Go(func() { h.leader.work(ctx, ctx) })
	}
	tell(func(polls int) {
		for range polls {
			_ = h.leader.poller.Poll(h.ctx)
			for range 5 {
				is.mu.Lock()
				h.tell(h.leader, -1)
				is.mu.Unlock()
				h.sleep(h.settings.PollInterval / 5)
			}
		}
	}, is)
	h.leader.queue.ShutDown()
	cancel()
	wg.Wait()
}

// oneAtATime takes the events of many workers.
type oneAtATime struct {
	mu sync.Mutex
	to EventRecorder
}

func (e *oneAtATime) Event(object runtime.Object, eventtype, reason, message string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.to.Event(object, eventtype, reason, message)
}

// goneWithPVs lets all volumes but the last go, and their PersistentVolumes.
func goneWithPVs(h *history) {
	all := h.api.Lists["one"]
	for n := range len(all) - 1 {
		h.setPV(h.pvs[fmt.Sprint("v", n)], nil)
	}
	h.api.Lists["one"] = all[len(all)-1:]
}

// While StorageOS lists, and is slow to answer for single volumes, what Kubernetes tells is
// recorded, and each volume is asked for in its turn.
func TestHistorySlowQuestions(t *testing.T) {
	t.Parallel()
	const volumes = 60 // the last is asked for by nobody
	for name, tc := range map[string]struct {
		workers int // 0: the default
		tell    func(*history)
		fails   bool // each question
		left    int  // records, when each volume was asked for
	}{
		"they are gone":                      {tell: goneWithPVs, left: 1},
		"they are gone, and two work":        {workers: 2, tell: goneWithPVs, left: 1},
		"they are gone, and no answer comes": {tell: goneWithPVs, fails: true, left: volumes},
		"they have changed, and are not kept": {left: volumes, tell: func(h *history) {
			h.leader.contents.Limit(0)
			for n := range volumes - 1 {
				h.api.Lists["one"][n] = fmt.Sprintf("v%d 7", n)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, func(s *Settings) {
				if tc.workers > 0 {
					s.Workers = tc.workers
				}
			}, func(h *history) {
				const takes = 29 * time.Second
				h.api.Slow = map[string]time.Duration{}
				silent := map[string]error{}
				for n := range volumes - 1 {
					call := fmt.Sprint("volume v", n)
					h.api.Slow[call] = takes
					if tc.fails {
						silent[call] = errDown
					}
				}
				h.api.Fail = func(call string, _ int) error { return silent[call] }
				h.api.Mu.Lock()
				tc.tell(h)
				h.api.Mu.Unlock()
				h.manyWorkers(func(pass func(polls int), is *guarded) {
					pass(6) // they are asked for
					pv := *h.pvs["v59"]
					pv.Phase, pv.ReclaimPolicy = state.Intern(corev1.VolumeReleased), state.Intern(corev1.PersistentVolumeReclaimRetain)
					h.setPV(h.pvs["v59"], &pv)
					pass(2)
					is.mu.Lock()
					c := meta.FindStatusCondition(h.records.records["v59"].Status.Conditions, v1.ConditionBound)
					if c.Reason != "Released" {
						t.Errorf("after two polls its record says %s", c.Reason)
					}
					is.mu.Unlock()
					// Maybe twice: before the watch tells that its record is gone.
					turns := 2*volumes/max(1, h.settings.Workers/5) + 2
					pass(turns * int(takes/h.settings.PollInterval+1))
					is.mu.Lock()
					defer is.mu.Unlock()
					if n := len(h.records.records); n != tc.left {
						t.Errorf("%d records, want %d", n, tc.left)
					}
					for call := range h.api.Slow {
						if h.api.Calls[call] == 0 {
							t.Errorf("nobody has asked for %s", call)
						}
					}
				})
			})
		})
	}
}

// What a volume is and whether one is gone is asked apart: neither waits for the other, however
// many get no answer.
func TestHistoryQuestionsApart(t *testing.T) {
	t.Parallel()
	const volumes, late = 101, 60 // those are late; the last is not
	gone := func(h *history, ids ...string) {
		h.lists(slices.DeleteFunc(slices.Clone(h.api.Lists["one"]), func(v string) bool {
			id, _, _ := strings.Cut(v, " ")
			return slices.Contains(ids, id)
		}))
		for _, id := range ids {
			h.setPV(h.pvs[id], nil) // the breaker holds none
		}
	}
	changed := func(h *history, ids ...string) {
		is := slices.Clone(h.api.Lists["one"])
		for i, v := range is {
			if id, _, _ := strings.Cut(v, " "); slices.Contains(ids, id) {
				is[i] = id + " 7"
			}
		}
		h.leader.contents.Limit(0)
		h.lists(is)
	}
	isGone := func(r *v1.Volume) bool { return r == nil }
	isChanged := func(r *v1.Volume) bool { return r != nil && r.Spec.SizeBytes == 7 }
	for name, tc := range map[string]struct {
		many, one func(h *history, ids ...string)
		right     func(*v1.Volume) bool
		workers   int
	}{
		"many are gone, and one has changed":               {gone, changed, isChanged, 10},
		"many are gone, and one has changed, and two work": {gone, changed, isChanged, 2},
		"many have changed, and one is gone":               {changed, gone, isGone, 10},
		"many have changed, and one is gone, and two work": {changed, gone, isGone, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, func(s *Settings) { s.Workers = tc.workers }, func(h *history) {
				h.api.Slow = map[string]time.Duration{}
				silent := map[string]error{}
				var ids []string
				for n := range late {
					ids = append(ids, fmt.Sprint("v", n))
					call := "volume " + ids[n]
					h.api.Slow[call], silent[call] = 29*time.Second, errDown
				}
				h.api.Fail = func(call string, _ int) error { return silent[call] }
				h.manyWorkers(func(pass func(polls int), is *guarded) {
					tc.many(h, ids...)
					pass(10)
					tc.one(h, "v100")
					pass(7)
					is.mu.Lock()
					defer is.mu.Unlock()
					if r := h.records.records["v100"]; !tc.right(r) {
						t.Error("35 s later the record of the one is not right")
					}
				})
			})
		})
	}
}

// What Kubernetes tells is recorded though StorageOS does not answer for the volume, which
// has changed and of which nothing is kept. When it answers, that is recorded too.
func TestHistoryContentNotHad(t *testing.T) {
	t.Parallel()
	notKept := func(h *history) { h.leader.contents.Limit(0) }
	back := func(h *history) {
		all := h.api.Lists["one"]
		h.api.Lists["one"] = all[1:]
		h.polls(2)
		h.api.Lists["one"] = all
	}
	for name, tc := range map[string]struct {
		answer error
		listed string // what is listed of the volume, by default that it has changed
		before func(*history)
		tell   func(*history)
		bound  string // the reason that its record gives
	}{
		"it is released, and the question fails": {answer: errDown, before: notKept, tell: (*history).release, bound: "Released"},
		"it is released, and the answer is a 404 of a node that lags": {
			answer: storageostest.NotFound, before: notKept, tell: (*history).release, bound: "Released",
		},
		"it goes": {answer: errDown, before: notKept, bound: record.ReasonUnclaimed, tell: func(h *history) {
			h.setPV(h.pvs["v0"], nil)
			h.polls(6)
		}},
		"another one comes": {answer: errDown, before: notKept, bound: record.ReasonBound, tell: func(h *history) {
			h.setPV(h.pvs["v0"], nil)
			h.setPV(nil, boundPV("again", "v0"))
		}},
		"the volume is back": {answer: errDown, before: notKept, tell: back, bound: record.ReasonBound},
		"it is released, and progress is due": {
			answer: errDown, listed: "v0 1 online n1 5", before: notKept, tell: (*history).release, bound: "Released",
		},
		"it is released, and the content was refused once": {answer: errDown, tell: (*history).release, bound: "Released", before: func(h *history) {
			h.records.fail = func(string) error { return refuse }
			h.polls(2)
			h.records.fail = nil
			h.polls(20) // the pause is over
		}},
		"it is released, and nobody may ask": {answer: errDown, before: notKept, bound: "Released", tell: func(h *history) {
			h.leader.reads.room = 0
			h.release()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.Fail = func(call string, _ int) error {
					if call == "volume v0" {
						return tc.answer
					}
					return nil
				}
				h.api.Lists["one"][0] = cmp.Or(tc.listed, "v0 7")
				tc.before(h)
				h.polls(2)
				tc.tell(h)
				h.polls(2)
				r := h.records.records["v0"]
				if is := stateIn(h, "v0").Bound.Value().Reason; is != tc.bound {
					t.Errorf("two polls later its record says %s", is)
				}
				if pv := h.pvs["v0"]; pv != nil && r.Status.PersistentVolume.Phase != string(pv.Phase.Value()) {
					t.Errorf("and that the PersistentVolume is %s", r.Status.PersistentVolume.Phase)
				}
				if r.Annotations[v1.AnnotationAbsentSince] != "" {
					t.Error("and that it is absent")
				}
				writes, asked := h.records.writes, h.askedByID()
				h.polls(24)
				if n := h.records.writes - writes; n > 0 {
					t.Errorf("%d writes of what it says already", n)
				}
				if n := h.askedByID() - asked; n > 24 {
					t.Errorf("it was asked for %d times in 24 polls", n)
				}
				if tc.answer = nil; h.leader.reads.room == 0 {
					h.leader.left(h.leader.reads) // whoever asked has the answer
				}
				h.polls(4)
				if r := h.records.records["v0"]; tc.listed == "" && r.Spec.SizeBytes != 7 {
					t.Errorf("when StorageOS answers it says %d bytes", r.Spec.SizeBytes)
				}
			})
		})
	}
}

// What is recorded without the content of a volume changes nothing of what is said of it.
func TestHistoryContentLater(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tell func(*history)
		want counted
	}{
		"it was so when this process began": {func(h *history) {
			h.api.Lists["one"][0] = "v0 1 offline"
			h.lead()
			h.leader.contents.Limit(0)
			h.api.Fail = func(call string, _ int) error {
				if call == "volume v0" {
					return errDown
				}
				return nil
			}
			h.release()
			h.polls(3)
			h.api.Fail = nil
		}, counted{}},
		"it is refused, before and after": {func(h *history) {
			h.records.fail = func(string) error { return refuse }
			h.api.Lists["one"][0] = "v0 7"
			h.polls(1)
			h.records.fail = nil
			h.release()
			h.tell(h.leader, -1)
			h.work(h.leader, 10)
			h.records.fail = func(string) error { return refuse }
		}, counted{policy.EventInvalid: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 3, nil, func(h *history) {
				tc.tell(h)
				if is := stateIn(h, "v0").Bound.Value().Reason; is != "Released" {
					t.Errorf("its record says %s", is)
				}
				h.polls(20)
			})
			if !maps.Equal(events, tc.want) {
				t.Errorf("events %v, want %v", events, tc.want)
			}
		})
	}
}

// release lets the PersistentVolume of v0 be released.
func (h *history) release() { h.phase(corev1.VolumeReleased) }

func (h *history) phase(is corev1.PersistentVolumePhase) {
	pv := *h.pvs["v0"]
	pv.Phase = state.Intern(is)
	h.setPV(h.pvs["v0"], &pv)
}

// lists are what StorageOS lists from now on, while many work.
func (h *history) lists(volumes []string) {
	h.api.Mu.Lock()
	defer h.api.Mu.Unlock()
	h.api.Lists["one"] = volumes
}

// Many of the volumes that had to wait need no question when their turn comes: those that do
// are asked for as fast as ever, and nothing is remembered of the others.
func TestHistoryQuestionsNotNeeded(t *testing.T) {
	t.Parallel()
	const volumes, late = 301, 150
	for name, wait := range map[string]func(h *history, all []string, pass func(polls int)){
		"their volumes are back": func(h *history, all []string, pass func(polls int)) {
			for n := range late {
				pv := *h.pvs[fmt.Sprint("v", n)]
				pv.Terminating = true // the breaker holds none
				h.setPV(h.pvs[fmt.Sprint("v", n)], &pv)
			}
			h.lists(all[late:])
			pass(6)
		},
		"their volumes, which were new, have gone": func(h *history, all []string, pass func(polls int)) {
			h.leader.contents.Limit(0)
			for round := range 5 {
				is := slices.Clone(all)
				for n := range late / 5 {
					is = append(is, fmt.Sprintf("w%d 1", round*late/5+n))
				}
				h.lists(is)
				pass(2)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, nil, func(h *history) {
				h.api.Slow = map[string]time.Duration{}
				for n := range late {
					h.api.Slow[fmt.Sprint("volume v", n)] = 29 * time.Second
					h.api.Slow[fmt.Sprint("volume w", n)] = 29 * time.Second
				}
				h.manyWorkers(func(pass func(polls int), is *guarded) {
					all := h.api.Lists["one"]
					wait(h, all, pass)
					h.lists(all)
					pass(13) // those who had asked have their answers
					if n := len(h.leader.proofs.aside) + len(h.leader.reads.aside); n > 0 {
						t.Errorf("%d are set aside, and there is nothing to ask", n)
					}
					for n := late; n < volumes-1; n++ {
						h.setPV(h.pvs[fmt.Sprint("v", n)], nil)
					}
					h.lists(append(slices.Clone(all[:late]), all[volumes-1]))
					pass(6)
					is.mu.Lock()
					defer is.mu.Unlock()
					if n := len(h.records.records); n != late+1 {
						t.Errorf("%d of %d records are left whose volumes are gone", n-late-1, volumes-1-late)
					}
				})
			})
		})
	}
}
