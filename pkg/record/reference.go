package record

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
)

// Rank orders what there may be one of, and is several of: PersistentVolumes that refer to
// one volume, and records that describe one. The first counts: a PersistentVolume that is
// bound, then the oldest, then the first by name.
type Rank struct {
	Bound   bool  // of a record: false
	Created int64 // Unix seconds
	Name    string
}

// Compare is negative if r goes before o.
func (r Rank) Compare(o Rank) int {
	if r.Bound != o.Bound {
		if r.Bound {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(r.Created, o.Created), cmp.Compare(r.Name, o.Name))
}

// MeantToGo tells whether the volume behind a PersistentVolume is: it is terminating, or was
// released by a claim with policy Delete.
func MeantToGo(terminating bool, phase corev1.PersistentVolumePhase, policy corev1.PersistentVolumeReclaimPolicy) bool {
	return terminating || phase == corev1.VolumeReleased && policy == corev1.PersistentVolumeReclaimDelete
}
