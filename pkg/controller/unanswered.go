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
func (r *Reconciler) unanswered(id string, now time.Time, was *state.Record, half *v1.Volume, d *policy.Decision, err error) {
	if half == nil && writer.NotDone(err) {
		return
	}
	var left *state.Record
	if half != nil {
		left = state.NewRecord(half)
	}
	var events []policy.Event
	r.tracker.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t, events = t.Lost(was, left, d)
		return t
	})
	r.sayOf(id, events...)
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
	var events []policy.Event
	now := time.Now()
	r.tracker.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t, events = r.rules.FoundOut(t, u, is, now)
		return t
	})
	r.sayOf(id, events...)
	return nil
}
