package main

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// notYet says of how many volumes it is too early to call them unclaimed, "" if of none. In a namespace those
// count, too, of which nobody knows whose they were.
func notYet(records []v1.Volume, claims map[string][]corev1.PersistentVolume, ns string, before time.Time, beat record.Heartbeat) string {
	n := 0
	records = theirs(records) // one of each volume
	for i := range records {
		r := &records[i]
		c := meta.FindStatusCondition(r.Status.Conditions, v1.ConditionBound)
		if c != nil && c.Reason == record.ReasonNoPersistentVolume && !isUnclaimed(r, c, before) && len(claims[identity(r)]) == 0 &&
			!isAbsent(r) && !isElsewhere(r, beat) && (ns == "" || usedFrom(r) == ns || usedFrom(r) == "") {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return how(n, "volume has no PersistentVolume, and is", "volumes have no PersistentVolume, and are") + " given time to get one before being called unclaimed."
}

// labelClaimNamespace is what csi-provisioner tells of the claim that a volume is made for.
const labelClaimNamespace = "csi.storage.k8s.io/pvc/namespace"

// usedFrom is the namespace of the claim that uses a volume, or did, "" if nobody knows. Once a volume has
// outlived its PersistentVolume its record says nothing of that, and behind an older CRD never: what it was
// made for is left.
func usedFrom(r *v1.Volume) string {
	return cmp.Or(record.ClaimOf(r).Namespace, r.Spec.ConfigLabels[labelClaimNamespace])
}

// claimNamespace is the namespace of the claim that a PersistentVolume is for, "" if it is for any.
func claimNamespace(pv *corev1.PersistentVolume) string {
	if claim := pv.Spec.ClaimRef; claim != nil {
		return claim.Namespace
	}
	return ""
}

// nobodys says of how many orphans it is not known which claim has used them, "" if it is of all.
func nobodys(found []orphan) string {
	n := 0
	for _, f := range found {
		if f.namespace == "" {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return how(n, "orphan is", "orphans are") + " left out, as nobody knows whose claim has used the volume: see without --namespace."
}
