package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// unanswered is that the last write of a record was not answered: it may have been stored
// all the same. Until something newer is known than what the record was before, nobody
// knows what it says: where nothing seems to be written, it is read.
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
		if t.unanswered.health == "" && t.quiet == 0 && was.copies != to {
			t.unanswered.health = was.copies.get().Health
		}
		t.unanswered.was = was
		return t
	})
}

// answer looks whether the cache tells by now what the record says, and tells of a change
// of health. That is for a worker, as no other writes the record meanwhile and says the same.
func (d *decision) answer(o *observation) {
	u := o.track.unanswered
	switch {
	case u.was == nil:
		return
	case o.record != nil && !u.was.olderThan(o.record):
		return // see findOut
	case o.record != nil && u.health != "" && o.polled:
		d.later(time.Nanosecond)
		return
	case o.record != nil:
		d.reports = append(d.reports, healthEvent(o.record.ref(), u.health, o.record.copies.get())...)
	}
	d.track.unanswered = unanswered{}
}

// findOut reads a record of which nobody knows what it says.
func (r *Reconciler) findOut(ctx context.Context, id string, u unanswered) error {
	live, err := r.records.StorageOSV1().Volumes().Get(ctx, u.was.name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading record %s, whose last write was not answered: %w", u.was.name, err)
	}
	var is *record // nil if it has gone, which the cache will tell
	if err == nil {
		is = newRecord(live)
	}
	r.tracks.update(id, time.Now(), func(t track, _ *breaker) track {
		t.unanswered = unanswered{}
		if is == nil || is.resourceVersion != u.was.resourceVersion {
			t.written = is
		}
		return t
	})
	if is != nil {
		r.say(healthEvent(is.ref(), u.health, is.copies.get())...)
	}
	return nil
}
