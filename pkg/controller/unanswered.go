package controller

import (
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// unanswered is that the last write of a record was not answered: it may have been stored
// all the same. Until something newer is known than what the record was before, nobody
// knows what it says: it is read and written, even if the cache has what it should say.
type unanswered struct {
	was    *record   // before that write; nil if it was answered
	health v1.Health // of the volume, that it led from; "" if it changed none, or nobody is to be told
}

// unanswered takes note of a write that may have been stored, or of which the first half
// was.
func (r *Reconciler) unanswered(id string, now time.Time, was *record, half *v1.Volume, to well, err error) {
	r.tracks.update(id, now, func(t track, _ *breaker) track {
		if half != nil {
			was = newRecord(half)
			t.written = was
		}
		if notDone(err) {
			return t
		}
		if t.unanswered.was == nil && t.quiet == 0 && was.copies != to {
			t.unanswered.health = was.copies.get().Health
		}
		t.unanswered.was = was
		return t
	})
}

// answer looks whether it is known by now what the record says, and tells of a change of
// health. That is for a worker, as no other writes the record meanwhile and says the same.
func (d *decision) answer(o *observation) {
	u := o.track.unanswered
	switch {
	case u.was == nil:
		return
	case o.record != nil && !u.was.olderThan(o.record):
		d.nextListing = true
		return
	case o.record != nil && u.health != "" && o.polled:
		d.later(time.Nanosecond)
		return
	case o.record != nil:
		d.reports = append(d.reports, healthEvent(o.record.ref(), u.health, o.record.copies.get())...)
	}
	d.track.unanswered = unanswered{}
}
