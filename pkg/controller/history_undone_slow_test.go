package controller

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
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
	d.begun = time.Now()
	d.minutes(3, act)
}

func (d *doubted) minutes(n int, act func()) {
	poll := time.Now()
	for end := time.Now().Add(time.Duration(n) * time.Minute); time.Now().Before(end); d.look() {
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

// So is what is undone while the answer to its write is on its way, or is lost, and StorageOS is
// listed meanwhile: the record is right for a moment, which is not that it stays so.
func TestHistoryUndoneAnsweredLate(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		for _, takes := range []time.Duration{3 * time.Second, 12 * time.Second} {
			for _, later := range []time.Duration{0, time.Second, takes * 2 / 3} {
				t.Run(fmt.Sprint(takes, ", undone after ", later, ", lost ", lost), func(t *testing.T) {
					t.Parallel()
					told(t, 3, nil, func(h *history) {
						h.api.Lists["one"][0] = "v0 1 offline"
						h.listings(3)
						d, poll, due := &doubted{history: h, begun: time.Now().Add(2 * takes)}, time.Now(), time.Now()
						step := func() {
							if !due.IsZero() && !time.Now().Before(due) {
								due = time.Time{}
								h.edit("v0", func(r *v1.Volume) { r.Status.Master.Health = "online" })
							}
							h.tell(h.leader, -1)
							if !time.Now().Before(poll) {
								poll = time.Now().Add(h.settings.PollInterval)
								_ = h.leader.poller.Poll(h.ctx)
							}
							d.look()
						}
						h.records.after = func(string) {
							if due.IsZero() && h.records.records["v0"].Status.Master.Health != "online" {
								due = time.Now().Add(later)
							}
						}
						h.records.lost = func(string) error {
							for end := time.Now().Add(takes); time.Now().Before(end); {
								step()
							}
							if lost {
								return errDown
							}
							return nil
						}
						for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); step() {
							h.work(h.leader, 1)
						}
						if d.believed > 0 {
							t.Errorf("it was wrong and believed at %d looks", d.believed)
						}
					})
				})
			}
		}
	}
}

// Who undoes each write is not forgotten while the volume cannot be recorded, or is not known, for
// some polls, though its claim changes meanwhile, which is written and stands.
func TestHistoryUndoneAndUnknown(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ now, again func(*history) }{
		"it cannot be recorded": {
			func(h *history) { h.api.Lists["one"][0] = "v0 large" },
			func(h *history) { h.api.Lists["one"][0] = "v0 1 offline" },
		},
		"its namespace is not listed": {
			func(h *history) { h.api.NamespaceIDs = []string{"two"} },
			func(h *history) { h.api.NamespaceIDs = []string{"one"} },
		},
		"another cluster answers": {(*history).other, (*history).first},
	} {
		for _, polls := range []int{1, 5} {
			t.Run(fmt.Sprint(name, ", ", polls, " polls"), func(t *testing.T) {
				t.Parallel()
				told(t, 3, func(s *Settings) { s.DeleteOrphans = false }, func(h *history) {
					h.api.Fail = func(call string, _ int) error {
						if call == "volumes two" {
							return errDown
						}
						return nil
					}
					h.api.Lists["one"][0] = "v0 1 offline"
					h.listings(3)
					h.undoing(func(r *v1.Volume) { r.Status.Master.Health = "online" })
					d := &doubted{history: h, begun: time.Now()}
					for range 3 {
						d.minutes(2, func() {})
						tc.now(h)
						h.changedPV("v0", func(pv *state.PV) { pv.ClaimName += "-" })
						h.listings(polls)
						tc.again(h)
					}
					d.minutes(1, func() {})
					if d.believed > 0 {
						t.Errorf("it was wrong and believed at %d looks", d.believed)
					}
				})
			})
		}
	}
}

// A hand that was there once is forgotten though the volume changes at each poll.
func TestHistoryUndoneOnce(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		change := func(n int) {
			h.api.Lists["one"][0] = fmt.Sprintf("v0 %d %s", 1+n%2, []string{"online", "offline"}[n%2])
		}
		for n := range 40 {
			change(n)
			h.listings(1)
			if n == 10 {
				h.edit("v0", func(r *v1.Volume) { r.Status.Master.NodeID = "elsewhere" })
				for range 3 {
					h.tell(h.leader, -1)
					h.work(h.leader, 10)
				}
			}
			if said := h.doubts(); n > 30 && len(said) > 0 {
				t.Fatalf("poll %d: %v", n, said)
			}
		}
	})
}

// Who deletes each record a moment after it was made, when that was told, has it made less and less
// often.
func TestHistoryDeletedSoonAfter(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond} {
		t.Run(fmt.Sprint("after ", later), func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				made, due := 0, time.Now()
				h.records.after = func(verb string) {
					if verb == "create" {
						made++
						due = time.Now().Add(later)
					}
				}
				d := &doubted{history: h}
				d.threeMinutes(func() {
					if r := h.records.records["v0"]; r != nil && !due.IsZero() && !time.Now().Before(due) {
						due = time.Time{}
						h.records.store(r, nil)
					}
				})
				if made < 10 || made > 40 {
					t.Errorf("made %d times in 3 minutes", made)
				}
			})
		})
	}
}
