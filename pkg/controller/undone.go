package controller

import (
	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// lastWrote takes note of what was written of a record, be it half of it because somebody was
// faster with the other half. If only sync progress was, the record says what it said and there
// is nothing to undo.
func (r *Reconciler) lastWrote(id string, o policy.Observation, d policy.Decision, was *state.Record, after *v1.Volume) {
	if d.Wanted == 0 || was == nil || after == nil || was.ResourceVersion == after.ResourceVersion {
		return
	}
	r.tracker.update(id, o.Now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t.LastWrite = t.LastWrite.Then(d.Wanted, o.Now, longestRetryPolls*r.settings.PollInterval)
		return t
	})
	r.recheck.add(id) // it is forgotten then, or later
}
