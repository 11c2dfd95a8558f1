package controller

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Who undoes each write is written against less and less often, and what he leaves is not believed,
// also where answers are lost and the next try comes before the watch has told of it.
func TestHistoryUndoneUnheard(t *testing.T) {
	t.Parallel()
	for _, replaces := range []bool{false, true} {
		for _, lag := range []time.Duration{200 * time.Millisecond, 700 * time.Millisecond} {
			for _, lost := range []int{1, 2} { // each, or every second
				for _, later := range []time.Duration{0, 500 * time.Millisecond} {
					t.Run(fmt.Sprint("replaces ", replaces, ", lag ", lag, ", lost ", lost, ", later ", later), func(t *testing.T) {
						t.Parallel()
						told(t, 3, nil, func(h *history) {
							h.api.Lists["one"][0] = "v0 1 offline"
							h.listings(3)
							n, due := 0, time.Now()
							undo := func() {
								old := h.records.records["v0"]
								if due.IsZero() || time.Now().Before(due) {
									return
								}
								due = time.Time{}
								is := old.DeepCopy()
								is.Status.Master.Health = "online"
								if n++; replaces {
									is.UID, is.CreationTimestamp = types.UID(fmt.Sprint("his ", n)), metav1.Now()
									h.records.store(old, nil)
									old = nil
								}
								h.records.store(old, is)
							}
							writes, answers := 0, 0
							h.records.after = func(string) {
								if writes++; h.records.records["v0"].Status.Master.Health == "offline" && due.IsZero() {
									due = time.Now().Add(later)
									undo()
								}
							}
							h.records.lost = func(string) error {
								if answers++; answers%lost == 0 {
									return errDown
								}
								return nil
							}
							d, poll, times := &doubted{history: h, begun: time.Now()}, time.Now(), []time.Time{}
							for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); d.look() {
								undo()
								all, heard := h.records.history, h.leader.recordsTold
								for len(times) < len(all) {
									times = append(times, time.Now())
								}
								for heard < len(all) && time.Since(times[heard]) >= lag {
									heard++
								}
								h.records.history = all[:heard]
								h.tell(h.leader, -1)
								h.records.history = all
								if !time.Now().Before(poll) {
									poll = time.Now().Add(h.settings.PollInterval)
									_ = h.leader.poller.Poll(h.ctx)
								}
								h.work(h.leader, 1)
							}
							if writes > 80 || d.believed > 0 {
								t.Errorf("written %d times in 3 minutes; wrong and believed at %d looks", writes, d.believed)
							}
						})
					})
				}
			}
		}
	}
}
