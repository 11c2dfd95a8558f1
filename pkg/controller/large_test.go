package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/storageostest"
)

// A volume that is too large to be read counts as present and keeps its record; an event
// and a metric say once that it cannot be recorded, whatever comes later, and no other
// volume is any the worse.
func TestHistoryLargeEntry(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		large func(h *history)
		want  counted
		moved int // the metric, at most
	}{
		"it becomes large": {func(h *history) { h.api.Lists["one"][3] = "v3 large" }, counted{policy.EventInvalid: 1}, 1},
		"two do":           {func(h *history) { h.api.Lists["one"][3], h.api.Lists["one"][39] = "v3 large", "v39 large" }, counted{policy.EventInvalid: 2}, 2},
		"a new one is":     {func(h *history) { h.api.Lists["one"] = append(h.api.Lists["one"], "new large") }, counted{}, 1},
		"large and small":  {func(h *history) { h.api.Lists["one"] = append(h.api.Lists["one"], "v3 large") }, counted{policy.EventInvalid: 1}, 60}, // an ID that is listed twice is an error of each poll
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := told(t, 40, nil, func(h *history) {
				h.records.deleted = func(r *v1.Volume) { t.Errorf("record %s was deleted", r.Name) }
				tc.large(h)
				h.polls(60)
				if moved := storageostest.DecodeErrors(t, h.leader.metrics); moved < 1 || moved > tc.moved {
					t.Errorf("the metric moved by %v, want %v", moved, tc.moved)
				}
				if n := len(h.records.records); n != 40 {
					t.Errorf("%d records, want 40", n)
				}
				h.api.Lists["one"][5] = "v5 77"
				h.polls(2)
				if size := h.records.records["v5"].Status.Capacity.Value(); size != 77 {
					t.Errorf("another volume has a size of %d, want 77", size)
				}
			})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}
