package controller

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// manyWorkers lets as many work as the settings say while something is told, which takes
// its time by pass.
func (h *history) manyWorkers(tell func(pass func(polls int), is *guarded)) {
	is := &guarded{memory: h.records}
	h.leader.records, h.leader.asking = is, make(chan struct{}, parallelQuestions)
	ctx, cancel := context.WithCancel(h.ctx)
	var wg sync.WaitGroup
	for range h.settings.Workers {
		wg.Go(func() { h.leader.work(ctx, ctx) })
	}
	tell(func(polls int) {
		for range polls {
			_ = h.leader.poller.poll(h.ctx)
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

// goneWithPVs lets all volumes but the last go, and their PersistentVolumes.
func goneWithPVs(h *history) {
	all := h.api.volumes["one"]
	for n := range len(all) - 1 {
		h.setPV(h.pvs[fmt.Sprint("v", n)], nil)
	}
	h.api.volumes["one"] = all[len(all)-1:]
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
			h.leader.contents.limit = 0
			for n := range volumes - 1 {
				h.api.volumes["one"][n] = fmt.Sprintf("v%d 7", n)
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
				h.api.slow = map[string]time.Duration{}
				silent := map[string]error{}
				for n := range volumes - 1 {
					call := fmt.Sprint("volume v", n)
					h.api.slow[call] = takes
					if tc.fails {
						silent[call] = errDown
					}
				}
				h.api.fail = func(call string, _ int) error { return silent[call] }
				h.api.mu.Lock()
				tc.tell(h)
				h.api.mu.Unlock()
				h.manyWorkers(func(pass func(polls int), is *guarded) {
					pass(6) // they are asked for
					pv := *h.pvs["v59"]
					pv.phase, pv.reclaimPolicy = share(corev1.VolumeReleased), share(corev1.PersistentVolumeReclaimRetain)
					h.setPV(h.pvs["v59"], &pv)
					pass(2)
					is.mu.Lock()
					c := meta.FindStatusCondition(h.records.records["v59"].Status.Conditions, v1.ConditionBound)
					if c.Reason != "Released" {
						t.Errorf("after two polls its record says %s", c.Reason)
					}
					is.mu.Unlock()
					// Maybe twice: before the watch tells that its record is gone.
					turns := 2*volumes/max(1, h.settings.Workers/2) + 2
					pass(turns * int(takes/h.settings.PollInterval+1))
					is.mu.Lock()
					defer is.mu.Unlock()
					if n := len(h.records.records); n != tc.left {
						t.Errorf("%d records, want %d", n, tc.left)
					}
					for call := range h.api.slow {
						if h.api.calls[call] == 0 {
							t.Errorf("nobody has asked for %s", call)
						}
					}
				})
			})
		})
	}
}
