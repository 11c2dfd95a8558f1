package controller

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// doubted is a history in which somebody undoes what is written of v0, whose master is offline.
// From its second minute on it is counted at how many looks the record is wrong and believed.
type doubted struct {
	*history
	begun    time.Time
	believed int
}

func (d *doubted) look() {
	r := d.records.records["v0"]
	if time.Since(d.begun) > time.Minute && r != nil && r.Status.Master != nil && r.Status.Master.Health == "online" && len(d.doubts()) == 0 {
		d.believed++
	}
	d.sleep(100 * time.Millisecond)
}

// threeMinutes polls for so long, in small steps, and looks at each of our own events before his.
func (d *doubted) threeMinutes(act func()) {
	poll := time.Now()
	for d.begun = time.Now(); time.Since(d.begun) < 3*time.Minute; d.look() {
		if !time.Now().Before(poll) {
			_ = d.leader.poller.Poll(d.ctx)
			poll = time.Now().Add(d.settings.PollInterval)
		}
		for n := 0; n < 20 && (d.leader.recordsTold < len(d.records.history) || d.leader.queue.Len() > 0); n++ {
			d.tell(d.leader, 1)
			d.work(d.leader, 1)
			act()
		}
		act()
	}
}

// Who undoes each write is written against less and less often, and what he leaves is not
// believed, also where a write takes its time, is not answered, or ends in a conflict first.
func TestHistoryUndoneSlowly(t *testing.T) {
	t.Parallel()
	takes := func(long time.Duration) func(*doubted) {
		return func(d *doubted) {
			d.records.fail = func(string) error {
				for end := time.Now().Add(long); time.Now().Before(end); {
					d.look()
				}
				return nil
			}
		}
	}
	for name, tell := range map[string]func(*doubted){
		"each takes half a second": takes(500 * time.Millisecond),
		"each takes a second":      takes(1100 * time.Millisecond),
		"each takes twelve":        takes(12 * time.Second),
		"none is answered":         func(d *doubted) { d.records.lost = func(string) error { return errDown } },
		"every second is answered": func(d *doubted) {
			n := 0
			d.records.lost = func(string) error {
				if n++; n%2 == 0 {
					return nil
				}
				return errDown
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.Lists["one"][0] = "v0 1 offline"
				h.listings(3)
				d := &doubted{history: h}
				tell(d)
				writes := h.undoing(func(r *v1.Volume) { r.Status.Master.Health = "online" })
				if d.threeMinutes(func() {}); d.believed > 0 || *writes > 40 {
					t.Errorf("it was wrong and believed at %d looks, and written %d times in 3 minutes", d.believed, *writes)
				}
				h.records.after, h.records.fail, h.records.lost = nil, nil, nil
				h.listings(6)
				if is := h.records.records["v0"].Status.Master.Health; is != "offline" {
					t.Errorf("half a minute after that has ended it says %s", is)
				}
			})
		})
	}
}

// So is who puts a record of his own in the place of each that is written.
func TestHistoryReplacedAgainAndAgain(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond} {
		t.Run(fmt.Sprint("after ", later), func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				his := h.records.records["v0"].DeepCopy()
				h.api.Lists["one"][0] = "v0 1 offline"
				h.listings(3)
				due, n := time.Now(), 0
				replace := func() {
					r := h.records.records["v0"]
					if r == nil || due.IsZero() || time.Now().Before(due) {
						return
					}
					due = time.Time{}
					n++
					obj := his.DeepCopy()
					obj.UID, obj.CreationTimestamp = types.UID(fmt.Sprint("his ", n)), metav1.Now()
					h.records.store(r, nil)
					h.records.store(nil, obj)
				}
				writes := 0
				h.records.after = func(string) {
					writes++
					if due.IsZero() {
						due = time.Now().Add(later)
					}
					replace()
				}
				d := &doubted{history: h}
				if d.threeMinutes(replace); d.believed > 0 || writes > 40 {
					t.Errorf("it was wrong and believed at %d looks, and written %d times in 3 minutes", d.believed, writes)
				}
			})
		})
	}
}
