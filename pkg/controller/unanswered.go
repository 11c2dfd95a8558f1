package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// unanswered takes note of a write that may have been stored, or of which the first half
// was. What the record said before, was, is certain.
func (r *Reconciler) unanswered(id string, now time.Time, was *state.Record, half *v1.Volume, to state.Health, err error) {
	if half == nil && notDone(err) {
		return
	}
	var events []policy.Event
	r.tracks.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		u := &t.Unanswered
		events = u.Tell(was)
		switch {
		case u.Health != "":
		case t.Quiet == 0:
			u.Health = was.Copies.Value().Health
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
	live, err := r.records.StorageOSV1().Volumes().Get(ctx, u.Was.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading record %s, whose last write was not answered: %w", u.Was.Name, err)
	}
	var is *state.Record // nil if it has gone, which the cache will tell
	if err == nil && state.PackUID(live.UID) == u.Was.UID {
		is = state.NewRecord(live)
	}
	r.tracks.update(id, time.Now(), func(t policy.Memory, _ *policy.Breaker) policy.Memory {
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
