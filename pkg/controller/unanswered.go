package controller

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// unanswered is that the last write of a record was not answered: it may have been stored
// all the same. Until something newer is known than what the record was before, nobody
// knows what it says: where nothing seems to be written, it is read.
type unanswered struct {
	was    *state.Record // before that write; nil if it was answered
	health v1.Health     // of the volume, that was said last; "" if there is nothing to be said
}

// answered is what is left of it when it is known what the record says: until that is whole,
// the health that was said last.
func (u unanswered) answered(is *state.Record) unanswered {
	if is.Whole() {
		return unanswered{}
	}
	return unanswered{health: u.health}
}

// tell tells what a record says of the health, if that was not said yet. Half a write says
// nothing: how many copies are wanted is in one half, and which there are is in the other.
func (u *unanswered) tell(is *state.Record) []event {
	if u.health == "" || !is.Whole() {
		return nil
	}
	said := u.health
	u.health = is.Copies.Value().Health
	return healthEvent(is.Ref(), said, is.Copies.Value())
}

// unanswered takes note of a write that may have been stored, or of which the first half
// was. What the record said before, was, is certain.
func (r *Reconciler) unanswered(id string, now time.Time, was *state.Record, half *v1.Volume, to state.Health, err error) {
	if half == nil && notDone(err) {
		return
	}
	var events []event
	r.tracks.update(id, now, func(t track, _ *breaker) track {
		u := &t.unanswered
		events = u.tell(was)
		switch {
		case u.health != "":
		case t.quiet == 0:
			u.health = was.Copies.Value().Health
		case half != nil:
			u.health = to.Value().Health // that is how it was when this process began
		}
		u.was = was
		if half != nil {
			u.was = state.NewRecord(half)
		}
		t.written = u.was // the cache may be behind
		return t
	})
	r.say(events...)
}

// answer looks whether the cache tells by now what the record says, and tells of a change
// of health. That is for a worker, as no other writes the record meanwhile and says the same.
func (d *decision) answer(o *observation) {
	u := o.track.unanswered
	switch {
	case u == unanswered{} || o.record == nil || u.was != nil && !u.was.OlderThan(o.record):
		return // see findOut
	case u.health != "" && o.polled && o.record.Whole():
		d.later(time.Nanosecond)
		return
	}
	d.reports = append(d.reports, u.tell(o.record)...)
	d.track.unanswered = u.answered(o.record)
}

// findOut reads a record of which nobody knows what it says.
func (r *Reconciler) findOut(ctx context.Context, id string, u unanswered) error {
	if u.was == nil {
		return nil
	}
	live, err := r.records.StorageOSV1().Volumes().Get(ctx, u.was.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading record %s, whose last write was not answered: %w", u.was.Name, err)
	}
	var is *state.Record // nil if it has gone, which the cache will tell
	if err == nil && state.PackUID(live.UID) == u.was.UID {
		is = state.NewRecord(live)
	}
	r.tracks.update(id, time.Now(), func(t track, _ *breaker) track {
		t.unanswered, t.written = unanswered{}, is
		if is != nil {
			t.unanswered = u.answered(is)
		}
		return t
	})
	if is != nil {
		r.say(u.tell(is)...)
	}
	return nil
}
