package controller

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
)

// unanswered takes note of a write that may have been stored, or of which the first half
// was. What the record said before, was, is certain.
func (r *Reconciler) unanswered(id string, now time.Time, was *state.Record, half *v1.Volume, to state.Health, err error) {
	if half == nil && writer.NotDone(err) {
		return
	}
	var events []policy.Event
	r.tracker.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		u := &t.Unanswered
		events = u.Tell(was)
		switch {
		case u.Health != "":
		case t.Quiet == 0:
			u.Health = was.CopiesHealth.Value().Health
		case half != nil:
			u.Health = to.Value().Health // that is how it was when this process began
		}
		u.Was = was
		if half != nil {
			u.Was = state.NewRecord(half)
		}
		t.Written = u.Was // the cache may be behind
		return t
	})
	r.say(events...)
}

// findOut reads a record of which nobody knows what it says.
func (r *Reconciler) findOut(ctx context.Context, id string, u policy.Unanswered) error {
	if u.Was == nil {
		return nil
	}
	is, err := r.writer.Read(ctx, u.Was.Name)
	if err != nil {
		return fmt.Errorf("its last write was not answered: %w", err)
	}
	if is != nil && is.UID != u.Was.UID {
		is = nil // it has gone, which the cache will tell
	}
	r.tracker.update(id, time.Now(), func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t.Unanswered, t.Written = policy.Unanswered{}, is
		if is != nil {
			t.Unanswered = u.Answered(is)
		}
		return t
	})
	if is != nil {
		r.say(u.Tell(is)...)
	}
	return nil
}
