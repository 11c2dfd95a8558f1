package controller

import (
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// replaced takes note of what a record said before it was written, be it by half. If only
// sync progress was, it says the same and there is nothing to undo.
func (r *Reconciler) replaced(id string, was *state.Record, after *v1.Volume, now time.Time) {
	if was == nil || after == nil || was.ResourceVersion == after.ResourceVersion {
		return
	}
	is := policy.Before{Said: was.Said(), At: now, Pause: policy.FirstUndone}
	if state.NewRecord(after).Said() == is.Said {
		return
	}
	r.tracker.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		if t.Before.Said == is.Said {
			is.Pause = min(2*t.Before.Pause, longestRetryPolls*r.settings.PollInterval)
		}
		t.Before = is
		return t
	})
	r.recheck.add(id) // it is forgotten then, or later
}
