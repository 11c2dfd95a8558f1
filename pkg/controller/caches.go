package controller

import (
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/cache"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// known is what the writer may ask of the caches and of the view.
type known struct {
	*cache.Caches
	r *Reconciler
}

func (k known) RecordsOf(id string) []*state.Record { return k.r.recordsOf(id) }

func (k known) OthersPV(name, id string) bool {
	pv := k.PV(name)
	return pv != nil && pv.VolumeID != id
}

func (k known) Lists(id string) bool { return k.r.view.Lists(id) }
