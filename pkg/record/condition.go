package record

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// Condition is a metav1.Condition without its type and its time.
type Condition struct {
	Status  metav1.ConditionStatus
	Reason  string
	Message string
}

// Reasons of the condition Present.
const (
	ReasonListed    = "Listed"
	ReasonNotListed = "NotListed"
)

// Reasons of the condition Bound. While there is a PersistentVolume that is not
// bound, the reason is its phase.
const (
	ReasonBound              = "Bound"
	ReasonNoPersistentVolume = "NoPersistentVolume"
	ReasonUnclaimed          = "Unclaimed"
)

// What the conditions Present and Bound say.
var (
	Listed = Condition{metav1.ConditionTrue, ReasonListed,
		"StorageOS lists the volume"}
	NotListed = Condition{metav1.ConditionFalse, ReasonNotListed,
		"a complete listing of StorageOS does not show the volume"}
	Bound = Condition{metav1.ConditionTrue, ReasonBound,
		"the PersistentVolume is bound to a claim"}
	NoPersistentVolume = Condition{metav1.ConditionFalse, ReasonNoPersistentVolume,
		"no PersistentVolume refers to the volume"}
	Unclaimed = Condition{metav1.ConditionFalse, ReasonUnclaimed,
		"no PersistentVolume has referred to the volume for longer than the grace period"}
)

// BoundIn is the condition Bound of a volume whose PersistentVolume is in a phase.
func BoundIn(phase corev1.PersistentVolumePhase) Condition {
	switch phase {
	case corev1.VolumeBound:
		return Bound
	case "":
		phase = corev1.VolumePending
	}
	return Condition{metav1.ConditionFalse, string(phase), "the PersistentVolume is not bound"}
}

// ReadCondition reads a condition off a record. The zero value is none.
func ReadCondition(r *v1.Volume, kind string) Condition {
	c := meta.FindStatusCondition(r.Status.Conditions, kind)
	if c == nil {
		return Condition{}
	}
	return Condition{c.Status, c.Reason, c.Message}
}

// Apply sets the condition of a record, unless it is none. Its time changes only with its
// status.
func (c Condition) Apply(r *v1.Volume, kind string, now time.Time) {
	if c == (Condition{}) {
		return
	}
	meta.SetStatusCondition(&r.Status.Conditions, metav1.Condition{
		Type: kind, Status: c.Status, Reason: c.Reason, Message: c.Message,
		LastTransitionTime: metav1.NewTime(now),
	})
}
