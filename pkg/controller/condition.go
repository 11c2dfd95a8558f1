package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// condition is a metav1.Condition without its type and its time.
type condition struct {
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
	conditionListed = condition{metav1.ConditionTrue, ReasonListed,
		"StorageOS lists the volume"}
	conditionNotListed = condition{metav1.ConditionFalse, ReasonNotListed,
		"a complete listing of StorageOS does not show the volume"}
	conditionBound = condition{metav1.ConditionTrue, ReasonBound,
		"the PersistentVolume is bound to a claim"}
	conditionNoPV = condition{metav1.ConditionFalse, ReasonNoPersistentVolume,
		"no PersistentVolume refers to the volume"}
	conditionUnclaimed = condition{metav1.ConditionFalse, ReasonUnclaimed,
		"no PersistentVolume has referred to the volume for longer than the grace period"}
)

// boundIn is the condition Bound of a volume whose PersistentVolume is in a phase.
func boundIn(phase corev1.PersistentVolumePhase) condition {
	switch phase {
	case corev1.VolumeBound:
		return conditionBound
	case "":
		phase = corev1.VolumePending
	}
	return condition{metav1.ConditionFalse, string(phase), "the PersistentVolume is not bound"}
}

// conditionOf reads a condition off a record. The zero value is none.
func conditionOf(r *v1.Volume, kind string) condition {
	c := meta.FindStatusCondition(r.Status.Conditions, kind)
	if c == nil {
		return condition{}
	}
	return condition{c.Status, c.Reason, c.Message}
}

// apply sets the condition of a record, unless it is none. Its time changes only with its
// status.
func (c condition) apply(r *v1.Volume, kind string, now time.Time) {
	if c == (condition{}) {
		return
	}
	meta.SetStatusCondition(&r.Status.Conditions, metav1.Condition{
		Type: kind, Status: c.Status, Reason: c.Reason, Message: c.Message,
		LastTransitionTime: metav1.NewTime(now),
	})
}
