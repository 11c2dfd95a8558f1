package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Reasons of the events. Each is said once per transition and has a metric
// beside it.
const (
	EventMissing      = "VolumeMissing"    // on a PersistentVolume; storageos_volume_orphans
	EventFound        = "VolumeFound"      // on a PersistentVolume; storageos_volume_orphans
	EventDegraded     = "VolumeDegraded"   // on a record; storageos_volumes
	EventOffline      = "VolumeOffline"    // on a record; storageos_volumes
	EventHealthy      = "VolumeHealthy"    // on a record; storageos_volumes
	EventUnclaimed    = "VolumeUnclaimed"  // on a record; storageos_volume_orphans
	EventNameConflict = "NameConflict"     // on a record; storageos_volumes_invalid
	EventHeld         = "DeletionsHeld"    // on the Lease; storageos_volume_deletions_held
	EventResumed      = "DeletionsResumed" // on the Lease; storageos_volume_deletions_held
	EventInvalid      = "VolumeInvalid"    // on a record or a PersistentVolume; storageos_volumes_invalid
)

// event is something to be said on an object.
type event struct {
	on      *corev1.ObjectReference
	kind    string
	reason  string
	message string
}

// EventRecorder is the part of client-go's event recorder that is used.
type EventRecorder interface {
	Event(object runtime.Object, eventtype, reason, message string)
}

func (r *Reconciler) say(events ...event) {
	for _, e := range events {
		r.events.Event(e.on, e.kind, e.reason, e.message)
	}
}

func onPersistentVolume(p *persistentVolume, kind, reason, message string) event {
	return event{p.ref(), kind, reason, message}
}

func onRecord(r *record, kind, reason, message string) event {
	return event{r.ref(), kind, reason, message}
}

// onRecordOr says it on the record or, if there is none, on the
// PersistentVolume. If there is neither, nobody can be told by an event.
func onRecordOr(r *record, p *persistentVolume, kind, reason, message string) []event {
	switch {
	case r != nil:
		return []event{onRecord(r, kind, reason, message)}
	case p != nil:
		return []event{onPersistentVolume(p, kind, reason, message)}
	default:
		return nil
	}
}

// healthEvent is what is said when the health of a volume has become another: by its
// copies, before and after. That it is absent, or back, is no such thing.
func healthEvent(on *corev1.ObjectReference, was v1.Health, is wellness) []event {
	if was == is.Health || was == "" {
		return nil
	}
	ready := is.Ready
	switch is.Health {
	case v1.HealthHealthy:
		return []event{{on, corev1.EventTypeNormal, EventHealthy, ready + " copies are usable"}}
	case v1.HealthDegraded:
		return []event{{on, corev1.EventTypeWarning, EventDegraded, "only " + ready + " copies are usable"}}
	case v1.HealthOffline:
		return []event{{on, corev1.EventTypeWarning, EventOffline, "the master is offline, " + ready + " copies are usable"}}
	default:
		return nil // unknown is no state that somebody could act on
	}
}

// unsaid is a change of health whose write was not answered. It may have been stored all the
// same: only what is newer than what the record was before tells.
type unsaid struct {
	was *record
	at  time.Time
}

// from is the health that the change led from, "" if there is none.
func (u unsaid) from() v1.Health {
	if u.was == nil {
		return ""
	}
	return u.was.copies.get().Health
}

// unanswered remembers what a record was before a failed write that may have been stored,
// or after the half of it that was answered, which is not the one that tells its health.
func (r *Reconciler) unanswered(id string, now time.Time, was *record, half *v1.Volume, to well) {
	if was.copies == to {
		return
	}
	if half != nil {
		was = newRecord(half)
	}
	r.tracks.update(id, now, func(t track, _ *breaker) track {
		if t.unsaid.was == nil && t.quiet == 0 {
			t.unsaid = unsaid{was, now}
		}
		return t
	})
}

// tellHealth says what a write has changed whose answer did not come. If nothing newer
// comes for as long as a write is tried again, it was not stored. It is for a worker, as no
// other writes the record meanwhile and says the same.
func (s *Settings) tellHealth(o *observation, d *decision) {
	u := o.track.unsaid
	if u.was == nil {
		return
	}
	newer := o.record != nil && u.was.olderThan(o.record)
	switch {
	case o.record != nil && !newer && (d.verdict == save || o.now.Before(u.at.Add(longestRetryPolls*s.PollInterval))):
		d.nextListing = true
		return
	case o.polled:
		d.later(time.Nanosecond)
		return
	case newer:
		d.reports = append(d.reports, healthEvent(o.record.ref(), u.from(), o.record.copies.get())...)
	}
	d.track.unsaid = unsaid{}
}
