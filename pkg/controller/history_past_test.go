package controller

import (
	"testing"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What a record says of a volume that was absent is of before. When it is back as another, the
// record is not believed before it says so: not between the two halves of its write, not while
// StorageOS does not tell what the volume is, and not after a fail-over.
func TestHistoryPast(t *testing.T) {
	t.Parallel()
	back := func(h *history) {
		h.api.Hidden = nil
		h.api.Lists["one"][0] = "v0 1 offline"
	}
	for name, tell := range map[string]func(h *history, look func()){
		"the second half of the write takes long": func(h *history, look func()) {
			writes := 0
			h.records.fail = func(string) error {
				if writes++; writes == 2 {
					look()
					for range 12 {
						h.tell(h.leader, -1)
						h.sleep(h.settings.PollInterval)
						h.poll(h.leader)
						look()
					}
				}
				return nil
			}
			back(h)
			h.listings(1)
		},
		"StorageOS does not tell what it is": func(h *history, look func()) {
			h.leader.contents.Limit(0)
			h.api.Fail = func(call string, _ int) error {
				if call == "volume v0" {
					return errDown
				}
				return nil
			}
			back(h)
			for range 12 {
				h.listings(1)
				look()
			}
			h.api.Fail = nil
		},
		"another leads, and each write hangs": func(h *history, look func()) {
			h.lead()
			h.listings(2)
			back(h)
			for range 12 {
				h.poll(h.leader)
				look()
				h.sleep(h.settings.PollInterval)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.api.Hidden = map[string]bool{"v0": true} // when it is asked for, it is there
				h.listings(60)                             // five minutes
				if h.records.records["v0"].Annotations[v1.AnnotationAbsentSince] == "" {
					t.Fatal("it is not marked")
				}
				believed := 0
				tell(h, func() {
					if h.records.records["v0"].Status.Master.Health == "online" && len(h.doubts()) == 0 {
						believed++
					}
				})
				if believed > 0 {
					t.Errorf("what was so five minutes ago was believed at %d looks", believed)
				}
				h.records.fail = nil
				h.listings(6)
				if is, d := h.records.records["v0"].Status.Master.Health, h.doubts(); is != "offline" || len(d) > 0 {
					t.Errorf("in the end it says %s, doubts %v", is, d)
				}
			})
		})
	}
}

// Of a volume that cannot be recorded its record is not found right because what Kubernetes tells
// is in it already.
func TestHistoryInvalidIsNotFoundRight(t *testing.T) {
	t.Parallel()
	told(t, 3, nil, func(h *history) {
		h.api.Lists["one"][0] = "v0 large"
		h.listings(60) // five minutes
		h.records.lost = func(string) error { h.records.lost = nil; return errDown }
		h.changedPV("v0", func(pv *state.PV) { pv.ClaimName = "other" })
		h.tell(h.leader, -1)
		h.work(h.leader, 1)
		h.sleep(200 * time.Millisecond) // the watch is later than the next try
		h.work(h.leader, 1)
		h.listings(1)
		h.api.Lists["one"][0] = "v0 1 offline"
		for n := range 36 {
			h.poll(h.leader) // and nobody works
			if r := h.records.records["v0"]; r.Status.Master.Health == "online" && len(h.doubts()) == 0 {
				t.Fatalf("a record of five minutes ago was believed at poll %d", n)
			}
			h.sleep(h.settings.PollInterval)
		}
	})
}
