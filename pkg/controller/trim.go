package controller

import (
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
)

// trimPersistentVolume is the transform of the informer. What is known of the
// PersistentVolume already is not kept again.
func (r *Reconciler) trimPersistentVolume(obj any) (any, error) {
	pv, ok := obj.(*corev1.PersistentVolume)
	if !ok {
		return obj, nil // trimmed before, or a tombstone
	}
	p := newPersistentVolume(pv, r.settings.CSIDriver)
	if known, ok, _ := r.pvInformer.GetStore().GetByKey(pv.Name); ok {
		q := known.(*persistentVolume)
		reuse(q.name, &p.name)
		reuse(string(q.uid), (*string)(&p.uid))
		reuse(q.volumeID, &p.volumeID)
		reuse(q.claimName, &p.claimName)
	}
	return p, nil
}

// trimRecord is the transform of the informer. What is known of the record or of
// its PersistentVolume already is not kept again.
func (r *Reconciler) trimRecord(obj any) (any, error) {
	v, ok := obj.(*v1.Volume)
	if !ok {
		return obj, nil // trimmed before, or a tombstone
	}
	rec := newRecordState(v)
	names := []*string{&rec.name, &rec.state.join.name}
	ids := []*string{&rec.labelID, &rec.statusID}
	if known, ok, _ := r.recordInformer.GetStore().GetByKey(v.Name); ok {
		q := known.(*recordState)
		reuse(q.name, names...)
		reuse(string(q.uid), (*string)(&rec.uid))
		reuse(q.labelID, ids...)
		reuse(q.state.join.claimName, &rec.state.join.claimName)
	}
	for _, pv := range r.pvIndex.of(rec.labelID) {
		reuse(pv.name, names...)
		reuse(pv.volumeID, ids...)
		reuse(pv.claimName, &rec.state.join.claimName)
	}
	reuse(rec.name, names...)
	reuse(rec.labelID, ids...)
	return rec, nil
}
