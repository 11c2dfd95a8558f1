package controller

import (
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// before is what a record said before our last write. Somebody may make it say so again as
// soon as it is written: another program, a policy. It is then written again after a pause
// that doubles, and not at the pace of the API server. It is forgotten when that has passed
// and nobody has done so.
type before struct {
	said  uint64 // see record.said
	at    time.Time
	pause time.Duration
}

// firstUndone is the first of the pauses; the longest is that of a retry.
const firstUndone = time.Second

// replaced takes note of what a record said before it was written, be it by half. If only
// sync progress was, it says the same and there is nothing to undo.
func (r *Reconciler) replaced(id string, was *state.Record, after *v1.Volume, now time.Time) {
	if was == nil || after == nil || was.ResourceVersion == after.ResourceVersion {
		return
	}
	is := before{was.Said(), now, firstUndone}
	if state.NewRecord(after).Said() == is.said {
		return
	}
	r.tracks.update(id, now, func(t track, _ *breaker) track {
		if t.before.said == is.said {
			is.pause = min(2*t.before.pause, longestRetryPolls*r.settings.PollInterval)
		}
		t.before = is
		return t
	})
	r.waiting.add(id) // it is forgotten then, or later
}

// pace lets a record that says again what it said before our last write wait for its turn.
func (d *decision) pace(o *observation) {
	b := o.track.before
	if b == (before{}) {
		return
	}
	left := b.at.Add(b.pause).Sub(o.now)
	undone := d.verdict == save && o.record != nil && o.record.Said() == b.said
	switch {
	case left > 0:
		d.nextListing = true
		if undone {
			d.verdict, d.content = keep, false
			d.later(left)
		}
	case !undone:
		d.track.before = before{}
	}
}
