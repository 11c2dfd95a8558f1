package controller

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// byVolumeID is the index of both caches.
const byVolumeID = "volumeID"

// persistentVolume is what the cache keeps of a PersistentVolume: what a
// reconcile reads of it and nothing else. One of another driver keeps only its
// name.
type persistentVolume struct {
	name            string
	uid             types.UID
	resourceVersion string
	created         time.Time

	namespaceID    string // of StorageOS, from the handle
	volumeID       string // "" if it is not ours
	phase          corev1.PersistentVolumePhase
	reclaimPolicy  corev1.PersistentVolumeReclaimPolicy
	claimNamespace string
	claimName      string
	terminating    bool
}

// GetObjectMeta gives client-go's cache the little that it asks for: the key
// and the resource version.
func (p *persistentVolume) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Name: p.name, UID: p.uid, ResourceVersion: p.resourceVersion}
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
		p.phase == corev1.VolumeReleased && p.reclaimPolicy == corev1.PersistentVolumeReclaimDelete
}

// ref names the PersistentVolume in an event.
func (p *persistentVolume) ref() *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolume", Name: p.name, UID: p.uid}
}

// trimPersistentVolume makes the transform of the informer.
func trimPersistentVolume(driver string) cache.TransformFunc {
	return func(obj any) (any, error) {
		pv, ok := obj.(*corev1.PersistentVolume)
		if !ok {
			return obj, nil // trimmed before, or a tombstone
		}
		p := &persistentVolume{name: pv.Name, uid: pv.UID, resourceVersion: pv.ResourceVersion}
		if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != driver {
			return p, nil
		}
		p.namespaceID, p.volumeID, ok = parseHandle(pv.Spec.CSI.VolumeHandle)
		if !ok {
			return p, nil
		}
		p.created = pv.CreationTimestamp.Time
		p.phase = pv.Status.Phase
		p.reclaimPolicy = pv.Spec.PersistentVolumeReclaimPolicy
		p.terminating = pv.DeletionTimestamp != nil
		if claim := pv.Spec.ClaimRef; claim != nil {
			p.claimNamespace, p.claimName = claim.Namespace, claim.Name
		}
		return p, nil
	}
}

var persistentVolumeIndexers = cache.Indexers{
	byVolumeID: func(obj any) ([]string, error) {
		p, ok := obj.(*persistentVolume)
		if !ok {
			return nil, fmt.Errorf("the cache of PersistentVolumes holds a %T", obj)
		}
		if p.volumeID == "" {
			return nil, nil
		}
		return []string{p.volumeID}, nil
	},
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
	if pb, qb := p.phase == corev1.VolumeBound, q.phase == corev1.VolumeBound; pb != qb {
		return pb
	}
	if !p.created.Equal(q.created) {
		return p.created.Before(q.created)
	}
	return p.name < q.name
}
