package controller

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// A status that has changed is written without being read; what somebody else has made
// of the record is read first, and so is a record that the cache is behind with.
func TestHistoryReads(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit   func(*history, *v1.Volume) // before the health changes
		told   bool                       // of the edit
		reads  int
		writes int // tried
	}{
		"nobody else has written": {reads: 0, writes: 1},
		"somebody has a condition there": {told: true, reads: 1, writes: 1, edit: func(_ *history, r *v1.Volume) {
			r.Status.Conditions = append(r.Status.Conditions, metav1.Condition{Type: "Theirs"})
		}},
		"somebody has just set a label": {reads: 1, writes: 2, edit: func(_ *history, r *v1.Volume) { r.Labels["x"] = "y" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, 3, nil, func(h *history) {
				h.sleep(time.Minute)
				if tc.edit != nil {
					old := h.records.records["v0"]
					obj := old.DeepCopy()
					tc.edit(h, obj)
					h.records.store(old, obj)
				}
				if tc.told {
					h.round()
				}
				reads, writes := h.records.reads, h.records.writes
				h.api.Lists["one"] = []string{"v0 1 offline", "v1 1", "v2 1"}
				_ = h.leader.poller.Poll(h.ctx)
				h.work(h.leader, 10)
				if n := h.records.reads - reads; n != tc.reads {
					t.Errorf("%d reads, want %d", n, tc.reads)
				}
				if n := h.records.writes - writes; n != tc.writes {
					t.Errorf("%d writes, want %d", n, tc.writes)
				}
				is := h.records.records["v0"]
				if got := fmt.Sprint(is.Status.Health, is.Labels["x"]); is.Status.Health != v1.HealthOffline || tc.writes == 2 && is.Labels["x"] != "y" {
					t.Errorf("the record says %s", got)
				}
			})
		})
	}
}
