package controller

import (
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
