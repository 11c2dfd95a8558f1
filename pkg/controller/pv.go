package controller

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storageos/volume-sync-controller/pkg/record"
)

// persistentVolume is what the cache keeps of a PersistentVolume: what a
// reconcile reads of it and nothing else, in few bytes. One of another driver
// keeps only its name.
type persistentVolume struct {
	join
	uid             uid
	resourceVersion string
	created         int64 // Unix seconds

	namespaceID shared[string] // of StorageOS, from the handle
	volumeID    string         // "" if it is not ours
	terminating bool
	unreadable  bool // its handle names no volume, though it is of the driver
}

// GetObjectMeta gives client-go's cache the little that it asks for: the key
// and the resource version.
func (p *persistentVolume) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: p.name, ResourceVersion: p.resourceVersion}
}

func (p *persistentVolume) key() string { return p.name }

func (p *persistentVolume) ids() []string {
	if p.volumeID == "" {
		return nil
	}
	return []string{p.volumeID}
}

// same tells whether two states of one PersistentVolume are the same to a
// reconcile.
func (p *persistentVolume) same(q *persistentVolume) bool {
	a, b := *p, *q
	a.resourceVersion, b.resourceVersion = "", ""
	return a == b
}

// deletes tells whether the volume behind the PersistentVolume is meant to go:
// it is terminating, or was released by a claim with policy Delete.
func (p *persistentVolume) deletes() bool {
	return p.terminating ||
		p.phase.get() == corev1.VolumeReleased && p.reclaimPolicy.get() == corev1.PersistentVolumeReclaimDelete
}

// ref names the PersistentVolume in an event.
func (p *persistentVolume) ref() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolume", Name: p.name, UID: p.uid.unpack()}
}

// newPersistentVolume takes down what the cache keeps of a PersistentVolume.
func newPersistentVolume(pv *corev1.PersistentVolume, driver string) *persistentVolume {
	p := &persistentVolume{join: join{name: pv.Name}, uid: packUID(pv.UID), resourceVersion: pv.ResourceVersion}
	if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != driver {
		return p
	}
	namespaceID, volumeID, ok := record.ParseHandle(pv.Spec.CSI.VolumeHandle)
	if !ok {
		p.unreadable = true
		return p
	}
	p.namespaceID, p.volumeID = share(namespaceID), strings.Clone(volumeID) // not the whole handle
	p.created = pv.CreationTimestamp.Unix()
	p.phase = share(pv.Status.Phase)
	p.reclaimPolicy = share(pv.Spec.PersistentVolumeReclaimPolicy)
	p.terminating = pv.DeletionTimestamp != nil
	if claim := pv.Spec.ClaimRef; claim != nil {
		p.claimNamespace, p.claimName = share(claim.Namespace), claim.Name
	}
	return p
}

// choosePersistentVolume picks the one that counts out of all that have one
// handle: the bound one, then the oldest, then the first by name. Nil if there
// is none.
func choosePersistentVolume(all []*persistentVolume) *persistentVolume {
	var best *persistentVolume
	for _, p := range all {
		if best == nil || precedes(p, best) {
			best = p
		}
	}
	return best
}

func precedes(p, q *persistentVolume) bool {
	if pb, qb := p.phase.get() == corev1.VolumeBound, q.phase.get() == corev1.VolumeBound; pb != qb {
		return pb
	}
	if p.created != q.created {
		return p.created < q.created
	}
	return p.name < q.name
}
