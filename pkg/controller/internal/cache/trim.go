package cache

import (
	corev1 "k8s.io/api/core/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// TrimPV is the transform of the informer. What is known of the
// PersistentVolume already is not kept again.
func (c *Caches) TrimPV(obj any) (any, error) {
	pv, ok := obj.(*corev1.PersistentVolume)
	if !ok {
		return obj, nil // trimmed before, or a tombstone
	}
	p := state.NewPV(pv, c.driver)
	if !c.claims {
		p.ClaimUID = state.UID{} // nobody asks for it
	}
	if known, ok, _ := c.PVs.GetStore().GetByKey(pv.Name); ok {
		q := known.(*state.PV)
		state.Reuse(q.Name, &p.Name)
		state.Reuse(q.VolumeID, &p.VolumeID)
		state.Reuse(q.ClaimName, &p.ClaimName)
	}
	return p, nil
}

// TrimRecord is the transform of the informer. What is known of the record or of
// its PersistentVolume already is not kept again.
func (c *Caches) TrimRecord(obj any) (any, error) {
	v, ok := obj.(*v1.Volume)
	if !ok {
		return obj, nil // trimmed before, or a tombstone
	}
	rec := state.NewRecord(v)
	names := []*string{&rec.Name, &rec.Summary.PV.Name}
	ids := []*string{&rec.LabelID, &rec.StatusID}
	if known, ok, _ := c.Records.GetStore().GetByKey(v.Name); ok {
		q := known.(*state.Record)
		state.Reuse(q.Name, names...)
		state.Reuse(q.LabelID, ids...)
		state.Reuse(q.Summary.PV.ClaimName, &rec.Summary.PV.ClaimName)
	}
	for _, pv := range c.pvIndex.of(rec.LabelID) {
		state.Reuse(pv.Name, names...)
		state.Reuse(pv.VolumeID, ids...)
		state.Reuse(pv.ClaimName, &rec.Summary.PV.ClaimName)
	}
	state.Reuse(rec.Name, names...)
	state.Reuse(rec.LabelID, ids...)
	return rec, nil
}
