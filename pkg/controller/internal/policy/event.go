package policy

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

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

// Event is something to be said on an object.
type Event struct {
	On      *corev1.ObjectReference
	Kind    string
	Reason  string
	Message string
}

// OnPersistentVolume makes an event on a PersistentVolume.
func OnPersistentVolume(p *state.PV, kind, reason, message string) Event {
	return Event{p.Ref(), kind, reason, message}
}

// OnRecord makes an event on a record.
func OnRecord(r *state.Record, kind, reason, message string) Event {
	return Event{r.Ref(), kind, reason, message}
}

// OnRecordOr says it on the record or, if there is none, on the
// PersistentVolume. If there is neither, nobody can be told by an event.
func OnRecordOr(r *state.Record, p *state.PV, kind, reason, message string) []Event {
	switch {
	case r != nil:
		return []Event{OnRecord(r, kind, reason, message)}
	case p != nil:
		return []Event{OnPersistentVolume(p, kind, reason, message)}
	default:
		return nil
	}
}

// OnClaim are those of the events that tell whoever owns the claim of a PersistentVolume how the
// volume is. None if no claim was bound to it.
func OnClaim(p *state.PV, events []Event) []Event {
	claim := p.Claim()
	if claim == nil {
		return nil
	}
	var told []Event
	for _, e := range events {
		switch e.Reason {
		case EventDegraded, EventOffline, EventHealthy, EventMissing, EventFound:
			e.On = claim
			told = append(told, e)
		}
	}
	return told
}

// HealthEvent is what is said when the health of a volume has become another: by its
// copies, before and after. That it is absent, or back, is no such thing.
func HealthEvent(on *corev1.ObjectReference, was v1.Health, is record.HealthStatus) []Event {
	if was == is.Health || was == "" {
		return nil
	}
	switch is.Health {
	case v1.HealthHealthy:
		return []Event{{on, corev1.EventTypeNormal, EventHealthy, copies(is.Ready)}}
	case v1.HealthDegraded:
		return []Event{{on, corev1.EventTypeWarning, EventDegraded, WhyUnwell(is)}}
	case v1.HealthOffline:
		return []Event{{on, corev1.EventTypeWarning, EventOffline, WhyUnwell(is)}}
	default:
		return nil // unknown is no state that somebody could act on
	}
}

// WhyUnwell says what is the matter with a volume that is listed and not healthy.
func WhyUnwell(is record.HealthStatus) string {
	usable := copies(is.Ready)
	switch is.Health {
	case v1.HealthDegraded:
		return "only " + usable
	case v1.HealthOffline:
		return "the master is offline, so the volume cannot be used; " + usable
	default:
		return "StorageOS does not know how the master is; " + usable
	}
}

// copies says in words what status.ready says.
func copies(ready string) string {
	usable, wanted, _ := strings.Cut(ready, "/")
	if usable == "1" {
		return "1 of " + wanted + " wanted copies is usable"
	}
	return usable + " of " + wanted + " wanted copies are usable"
}
