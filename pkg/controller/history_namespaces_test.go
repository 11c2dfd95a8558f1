package controller

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What the first volumes of a namespace are told is an event if the namespace was made
// since this process began, as CSI does on demand. Those of another cluster that answers
// were there before.
func TestHistoryNewNamespace(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		entry string
		pv    bool
		other bool
		want  counted
	}{
		"its volume cannot be recorded":              {"x large", true, false, counted{policy.EventInvalid: 1}},
		"nobody claims its volume":                   {"x 1", false, false, counted{policy.EventUnclaimed: 1}},
		"that of another cluster cannot be recorded": {"x large", true, true, counted{policy.EventHeld: 1}},
		"nobody claims that of another cluster":      {"x 1", false, true, counted{policy.EventHeld: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := told(t, 3, nil, func(h *history) {
				h.polls(120) // ten minutes
				if tc.pv {
					pv := boundPV("pvc-x", "x")
					pv.NamespaceID = state.Intern("two")
					h.setPV(nil, pv)
				}
				h.api.NamespaceIDs = []string{"one", "two"}
				h.api.Lists["two"] = []string{tc.entry}
				if tc.other {
					h.api.ClusterID, h.api.NamespaceIDs, h.api.Lists["one"] = "other", []string{"two"}, nil
				}
				h.polls(60)
			})
			delete(events, policy.EventMissing) // of those that the other cluster does not have
			if diff := cmp.Diff(tc.want, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// That all volumes of a namespace are gone at once holds their records, also those that name no namespace yet,
// as StorageOS has never listed their volumes to this program: their PersistentVolumes name it.
func TestHistoryNamespaceUnlisted(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		adopted bool // StorageOS has listed them before
		living  int  // how many of it are listed
		left    int
	}{"it was listed before": {true, 0, 12}, "it was never listed": {false, 0, 12}, "but for one of it": {false, 1, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 0, nil, func(h *history) {
				h.api.NamespaceIDs = []string{"one", "two"}
				var two []string
				for n, id := range h.ofReplaced(100) {
					pv := boundPV(fmt.Sprint("data", n), id)
					if n < 12 {
						pv.NamespaceID = state.Intern("two")
						two = append(two, id+" 1")
					} else {
						h.api.Lists["one"] = append(h.api.Lists["one"], id+" 1")
					}
					h.setPV(nil, pv)
				}
				if tc.adopted {
					h.api.Lists["two"] = two
				}
				h.lead()
				h.polls(3)
				h.api.Lists["two"] = two[:tc.living]
				h.polls(3 * 12)
				left := 0
				for n := range 12 {
					if h.records.records[fmt.Sprint("data", n)] != nil {
						left++
					}
				}
				if left != tc.left {
					t.Errorf("%d of 12 records are left after three minutes, want %d", left, tc.left)
				}
			})
		})
	}
}

// A namespace of which some volumes live has not lost all, whether or not their records name it yet, and while the
// others are deleted.
func TestHistoryNamespaceUnnamed(t *testing.T) {
	t.Parallel()
	for name, living := range map[string]int{"one lives": 1, "most live": 88} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := &sayings{}
			told(t, 0, nil, func(h *history) {
				h.hears = all
				h.api.NamespaceIDs = []string{"one", "two"}
				for n, id := range h.ofReplaced(living + 12 + 60) {
					pv := boundPV(fmt.Sprint("data", n), id)
					if n < living+12 {
						pv.NamespaceID = state.Intern("two")
					}
					switch {
					case n < living:
						h.api.Lists["two"] = append(h.api.Lists["two"], id+" 1")
					case n >= living+12:
						h.api.Lists["one"] = append(h.api.Lists["one"], id+" 1")
					}
					h.setPV(nil, pv)
				}
				h.lead()
				for range 20 {
					h.polls(1)
					if why := h.leader.tracker.breaker.Why; why != "" {
						t.Errorf("it holds: %s", why)
					}
				}
				if n := len(h.records.records); n != living+60 {
					t.Errorf("%d records are left, want %d", n, living+60)
				}
			})
			for _, said := range *all {
				if !strings.HasPrefix(said, policy.EventMissing) {
					t.Errorf("it was said %q", said)
				}
			}
		})
	}
}
