package controller

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
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

func onPersistentVolume(p *state.PV, kind, reason, message string) event {
	return event{p.Ref(), kind, reason, message}
}

func onRecord(r *state.Record, kind, reason, message string) event {
	return event{r.Ref(), kind, reason, message}
}

// onRecordOr says it on the record or, if there is none, on the
// PersistentVolume. If there is neither, nobody can be told by an event.
func onRecordOr(r *state.Record, p *state.PV, kind, reason, message string) []event {
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
func healthEvent(on *corev1.ObjectReference, was v1.Health, is record.HealthStatus) []event {
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
