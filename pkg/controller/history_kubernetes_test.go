package controller

import (
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// listings are polls at whose pace StorageOS lists, and between which the queue is worked
// off all the time.
func (h *history) listings(n int) {
	for range n {
		_ = h.leader.poller.poll(h.ctx)
		for range 50 {
			h.tell(h.leader, -1)
			h.work(h.leader, 1000)
			h.sleep(h.settings.PollInterval / 50)
		}
	}
}

// While Kubernetes takes no writes, StorageOS is not asked for single volumes: what was
// listed of them is kept for the next try.
func TestHistoryWritesFail(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.fail = func(string) error { return errDown }
		for i := range h.api.volumes["one"] {
			h.api.volumes["one"][i] = fmt.Sprintf("v%d 7", i)
		}
		asked := h.askedByID()
		h.listings(12)
		if n := h.askedByID() - asked; n > 0 {
			t.Errorf("StorageOS was asked for single volumes %d times", n)
		}
		h.records.fail = nil
		h.listings(3)
		for name, r := range h.records.records {
			if r.Spec.SizeBytes != 7 {
				t.Errorf("record %s says %d bytes", name, r.Spec.SizeBytes)
			}
		}
		if n := h.leader.contents.bytes; n > 0 {
			t.Errorf("%d bytes of what is recorded are kept", n)
		}
	})
}

// Without the right to delete, a volume that is gone is asked for once a grace, and its
// record counts as held.
func TestHistoryDeletionForbidden(t *testing.T) {
	t.Parallel()
	told(t, 40, nil, func(h *history) {
		h.records.fail = func(verb string) error {
			if verb == "delete" {
				return apierrors.NewForbidden(volumesResource, "x", nil)
			}
			return nil
		}
		h.keepVolumes(39)
		h.listings(6)
		asked := h.askedByID()
		h.listings(24) // two minutes
		if n, most := h.askedByID()-asked, int(2*time.Minute/h.settings.OrphanGracePeriod); n > most {
			t.Errorf("it was asked for %d times in two minutes", n)
		}
		if n := h.leader.tracks.held[heldNotDeleted]; n != 1 {
			t.Errorf("held: %v", h.leader.tracks.held)
		}
		h.records.fail = nil
		h.listings(4)
		if n := len(h.records.records); n != 39 {
			t.Errorf("%d records when the right is there", n)
		}
	})
}
