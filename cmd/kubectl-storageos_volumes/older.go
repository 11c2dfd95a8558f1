package main

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// The CRD of the product itself is older: it drops what is concluded from a volume and what
// is known of its PersistentVolume. Both are concluded again here, as the controller does it,
// or a question for what is not well would be answered by "none".

// isPruned tells whether a record lacks what the controller has concluded: an older CRD drops it of
// each, and a record that was just made has no status yet.
func isPruned(r *v1.Volume) bool { return identity(r) != "" && !saysAll(*r) }

// isBare tells whether a record has no status yet: which copies there are it does not say, either.
func isBare(r *v1.Volume) bool {
	return identity(r) != "" && r.Status.VolumeID == "" && len(record.Copies(&r.Status)) == 0
}

// saysAll tells whether a record says what the controller has concluded.
func saysAll(r v1.Volume) bool {
	return record.ReadCondition(&r, v1.ConditionPresent) != record.Condition{}
}

// saysWhose tells whether a record says which PersistentVolume refers to its volume, or that none does. A
// CRD may keep conditions and drop the rest.
func saysWhose(r *v1.Volume) bool {
	reason := record.ReadCondition(r, v1.ConditionBound).Reason
	return r.Status.PersistentVolume != nil || reason == record.ReasonNoPersistentVolume || reason == record.ReasonUnclaimed
}

// unjoined says that no record names a PersistentVolume although an older CRD has dropped that and it was looked
// for, "" if one does: the driver may be mistyped, and what is not joined to claims is found by none.
func unjoined(records []v1.Volume, driver string) string {
	looked := false
	for i := range records {
		r := &records[i]
		if r.Status.PersistentVolume != nil {
			return ""
		}
		c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound)
		looked = looked || c != nil && c.LastTransitionTime.IsZero() && !isBare(r) && !isAbsent(r)
	}
	if !looked {
		return ""
	}
	return fmt.Sprintf("the CRD of the records is an older one, which does not keep claims, and no PersistentVolume of the CSI driver %s (--csi-driver) refers to a volume", driver)
}

// complete fills in what records lack. Since when it is so nobody knows.
func complete(records []v1.Volume, pvs []corev1.PersistentVolume) {
	byVolume := byVolume(pvs)
	for i := range records {
		if r := &records[i]; isPruned(r) {
			conclude(r, byVolume[identity(r)])
		}
	}
}

func conclude(r *v1.Volume, pvs []corev1.PersistentVolume) {
	concludeHealth(r)
	bound := record.NoPersistentVolume
	if r.Status.PersistentVolume = joined(pvs); r.Status.PersistentVolume != nil {
		bound = record.BoundIn(corev1.PersistentVolumePhase(r.Status.PersistentVolume.Phase))
	}
	bound.Apply(r, v1.ConditionBound, time.Time{})
	forgetTimes(r)
}

// concludeHealth fills in what the copies tell.
func concludeHealth(r *v1.Volume) {
	if !isPruned(r) {
		return
	}
	health, present := record.FromRecord(r).HealthStatus(), record.Listed
	if isAbsent(r) {
		health, present = record.HealthNotListed, record.NotListed
	}
	health.Apply(r, time.Time{})
	present.Apply(r, v1.ConditionPresent, time.Time{})
	forgetTimes(r)
	if r.Status.Capacity == nil && r.Spec.SizeBytes > 0 {
		r.Status.Capacity = resource.NewQuantity(r.Spec.SizeBytes, resource.BinarySI)
	}
}

func forgetTimes(r *v1.Volume) {
	for i := range r.Status.Conditions {
		r.Status.Conditions[i].LastTransitionTime = metav1.Time{}
	}
}

// isAbsent tells whether a record says that StorageOS does not list its volume.
func isAbsent(r *v1.Volume) bool { return r.Annotations[v1.AnnotationAbsentSince] != "" }

// byVolume are the PersistentVolumes by the IDs of their volumes.
func byVolume(pvs []corev1.PersistentVolume) map[string][]corev1.PersistentVolume {
	all := map[string][]corev1.PersistentVolume{}
	for _, pv := range pvs {
		all[volumeOf(&pv)] = append(all[volumeOf(&pv)], pv)
	}
	return all
}

// joined is what a record says of the PersistentVolumes that refer to its volume.
func joined(pvs []corev1.PersistentVolume) *v1.PersistentVolumeStatus {
	if len(pvs) == 0 {
		return nil
	}
	pv := slices.MinFunc(pvs, func(a, b corev1.PersistentVolume) int { return rank(&a).Compare(rank(&b)) })
	status := &v1.PersistentVolumeStatus{Name: pv.Name, Phase: string(pv.Status.Phase), ReclaimPolicy: string(pv.Spec.PersistentVolumeReclaimPolicy)}
	if claim := pv.Spec.ClaimRef; claim != nil {
		status.Claim = &v1.ClaimReference{Namespace: claim.Namespace, Name: claim.Name}
	}
	return status
}

func rank(pv *corev1.PersistentVolume) record.Rank {
	return record.Rank{Bound: pv.Status.Phase == corev1.VolumeBound, Created: pv.CreationTimestamp.Unix(), Name: pv.Name}
}
