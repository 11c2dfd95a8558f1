package controller

import (
	"errors"
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

// While Kubernetes takes no writes, StorageOS is hardly asked for single volumes: what was
// listed of them is kept for the next try, and of those for which there is no room one is
// tried now and then. What Kubernetes refuses is about one volume.
func TestHistoryWritesFail(t *testing.T) {
	t.Parallel()
	const volumes = 40
	changed := func(h *history) {
		for i := range h.api.volumes["one"] {
			h.api.volumes["one"][i] = fmt.Sprintf("v%d 7", i)
		}
	}
	made := func(h *history) {
		for i := range volumes {
			h.api.volumes["one"] = append(h.api.volumes["one"], fmt.Sprintf("w%d 7", i))
		}
		changed(h)
	}
	none := func(string) error { return errDown }
	for name, tc := range map[string]struct {
		tell func(*history)
		fail func(verb string) error
		kept int // bytes for which there is room
		most int // how often StorageOS is asked in a minute, about
	}{
		"they have changed":                        {changed, none, maxContents, 0},
		"they have changed, a few are kept":        {changed, none, 400, 60},
		"they have changed, none is kept":          {changed, none, 0, 60},
		"they are new, and none is kept":           {made, none, 0, 60},
		"the right is missing, and none is kept":   {changed, func(string) error { return apierrors.NewForbidden(volumesResource, "x", nil) }, 0, 60},
		"what is written is refused, and not kept": {changed, func(string) error { return refuse }, 0, 2 * volumes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told(t, volumes, nil, func(h *history) {
				h.records.fail = tc.fail
				h.leader.contents.limit = tc.kept
				tc.tell(h)
				asked := h.askedByID()
				h.listings(12)
				if n := h.askedByID() - asked; n > tc.most+tc.most/10 {
					t.Errorf("StorageOS was asked for single volumes %d times", n)
				}
				h.records.fail = nil
				h.listings(15)
				for name, r := range h.records.records {
					if r.Spec.SizeBytes != 7 {
						t.Errorf("record %s says %d bytes", name, r.Spec.SizeBytes)
					}
				}
				if n := len(h.records.records); n != len(h.api.volumes["one"]) {
					t.Errorf("%d records", n)
				}
				if n := h.leader.contents.bytes; n > 0 {
					t.Errorf("%d bytes of what is recorded are kept", n)
				}
			})
		})
	}
}

// While Kubernetes does not delete a record, whatever it says, the volume is asked for once
// a grace, and the record counts as held.
func TestHistoryNotDeleted(t *testing.T) {
	t.Parallel()
	for name, denied := range map[string]error{
		"the right is missing":          apierrors.NewForbidden(volumesResource, "x", nil),
		"a policy denies it":            refuse,
		"a webhook does":                apierrors.NewBadRequest("admission webhook denied the request"),
		"the webhook is not there":      apierrors.NewInternalError(errors.New("failed calling webhook")),
		"the API server is too busy":    apierrors.NewTooManyRequestsError("x"),
		"the API server does not reply": errDown,
	} {
		for _, grace := range []time.Duration{15 * time.Second, time.Minute} {
			t.Run(fmt.Sprintf("%s, the grace is %v", name, grace), func(t *testing.T) {
				t.Parallel()
				told(t, 40, func(s *Settings) { s.OrphanGracePeriod = grace }, func(h *history) {
					h.records.fail = func(verb string) error {
						if verb == "delete" {
							return denied
						}
						return nil
					}
					h.keepVolumes(39)
					h.listings(3 + int(grace/h.settings.PollInterval))
					asked := h.askedByID()
					h.listings(60) // five minutes
					if n, most := h.askedByID()-asked, int(5*time.Minute/grace); n == 0 || n > most {
						t.Errorf("it was asked for %d times in five minutes", n)
					}
					if n := h.leader.tracks.held[heldNotDeleted]; n != 1 {
						t.Errorf("held: %v", h.leader.tracks.held)
					}
					h.records.fail = nil
					h.listings(1 + int(grace/h.settings.PollInterval))
					if n := len(h.records.records); n != 39 {
						t.Errorf("%d records when it may be deleted", n)
					}
				})
			})
		}
	}
}
