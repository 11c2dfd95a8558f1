package controller

import "github.com/storageos/volume-sync-controller/pkg/controller/internal/state"

// known is what this process knows without asking Kubernetes or StorageOS: what the writer
// has to ask for.
type known struct{ r *Reconciler }

func (k known) Record(name string) *state.Record {
	if rec, ok, _ := k.r.recordInformer.GetStore().GetByKey(name); ok {
		return rec.(*state.Record)
	}
	return nil
}

func (k known) RecordsOf(id string) []*state.Record { return k.r.recordsOf(id) }

func (k known) OthersPV(name, id string) bool {
	pv, ok, _ := k.r.pvInformer.GetStore().GetByKey(name)
	return ok && pv.(*state.PV).VolumeID != id
}

func (k known) Lists(id string) bool { return k.r.view.Lists(id) }
