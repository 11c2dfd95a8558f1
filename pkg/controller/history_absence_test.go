package controller

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An answer that shows a volume ends the watch of its absence, though its record is
// terminating: when that has gone, a younger one is what the absence is watched for.
func TestHistoryShownWhileTerminating(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.store(nil, beside(h.records.records["v39"], "copy"))
		h.polls(1)
		h.api.hidden = map[string]bool{"v39": true}
		asked := h.askedByID()
		h.api.before = func(_ context.Context, call string) {
			if call == "volume v39" { // a hand deletes the record while an answer shows the volume
				old := h.records.records["v39"]
				obj := old.DeepCopy()
				obj.DeletionTimestamp = &metav1.Time{Time: time.Now()}
				h.records.store(old, obj)
				h.tell(h.leader, -1)
			}
		}
		for h.askedByID() == asked {
			h.polls(1)
		}
		h.api.before = nil
		h.keepVolumes(39)                              // now it is gone
		h.polls(2)                                     // less than the grace
		h.records.store(h.records.records["v39"], nil) // the finalizer goes
		h.polls(1)
		if h.records.records["copy"] == nil {
			t.Error("the younger record was deleted before the absence was watched for the grace")
		}
		h.polls(6)
		if h.records.records["copy"] != nil {
			t.Error("the younger record stays")
		}
	})
}
