package controller

import (
	"cmp"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// lastWrote takes note of what was written of a record, be it half of it because somebody was
// faster with the other half. It was so now, not when it was decided: a write may take longer than
// it is remembered. If only sync progress was written, the record says what it said and there is
// nothing to undo. A new record is not remembered, as a first start would remember all, unless
// somebody deletes it again and again.
func (r *Reconciler) lastWrote(id string, d policy.Decision, was *state.Record, after *v1.Volume) {
	if d.WantHash == 0 || after == nil {
		return
	}
	if was == nil && d.Memory.LastWrite.Gone || was != nil && was.ResourceVersion != after.ResourceVersion {
		r.mayBeUndone(id, func(l policy.LastWrite, now time.Time, longest time.Duration) policy.LastWrite {
			l = cmp.Or(l, d.Memory.LastWrite) // the poller may have found the record right meanwhile
			if was == nil {
				l.At = now // its deletion has been counted
				return l
			}
			return l.Then(d.WantHash, now, longest)
		})
	}
}

// foundStored takes note of what a write has found of a record, before what it has written. The write
// before it may not have been answered.
func (r *Reconciler) foundStored(id string, was *state.Record) {
	now, found := time.Now(), false
	r.tracker.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		is := r.rules.FoundStored(t, was, now)
		found = is.LastWrite != t.LastWrite
		return is
	})
	if found {
		r.recheck.add(id) // it is forgotten then, or later
	}
}

// soon is how young a record is that somebody has deleted so soon that he may do so again.
const soon = time.Minute

// deletedSoon takes note of such a deletion.
func (r *Reconciler) deletedSoon(rec *state.Record) {
	if time.Now().Add(-soon).Unix() > rec.Created {
		return
	}
	for _, id := range rec.IDs() {
		r.mayBeUndone(id, policy.LastWrite.ThenGone)
	}
}

func (r *Reconciler) mayBeUndone(id string, then func(policy.LastWrite, time.Time, time.Duration) policy.LastWrite) {
	now := time.Now()
	r.tracker.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t.LastWrite = then(t.LastWrite, now, r.rules.LongestRetry())
		return t
	})
	r.recheck.add(id) // it is forgotten then, or later
}
