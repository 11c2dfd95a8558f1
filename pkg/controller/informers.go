package controller

import (
	"errors"
	"time"

	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	recordinformers "github.com/storageos/volume-sync-controller/pkg/generated/informers/externalversions/storageos/v1"
)

// newInformers makes the two shared informers. Their caches hold our own
// compact types, put there by transforms, not the objects of the API. They are
// made without a factory, whose informers index everything by namespace: no
// object here has one.
func (r *Reconciler) newInformers(kube kubernetes.Interface, records versioned.Interface) error {
	r.pvInformer = coreinformers.NewPersistentVolumeInformer(kube, 0, cache.Indexers{})
	r.recordInformer = recordinformers.NewVolumeInformer(records, 0, cache.Indexers{})
	r.pvIndex = newIndex[*state.PV](r.pvInformer.GetStore())
	r.recordIndex = newIndex[*state.Record](r.recordInformer.GetStore())
	var errs [2]error
	r.pvHandled, errs[0] = prepare(r.pvInformer, r.trimPersistentVolume, handler(r.persistentVolumeChanged))
	r.recordHandled, errs[1] = prepare(r.recordInformer, r.trimRecord, handler(r.recordChanged))
	return errors.Join(errs[:]...)
}

func prepare(i cache.SharedIndexInformer, trim cache.TransformFunc, h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	if err := i.SetTransform(trim); err != nil {
		return nil, err
	}
	return i.AddEventHandler(h)
}

func (r *Reconciler) persistentVolumeChanged(old, obj *state.PV) {
	r.pvIndex.change(old, obj)
	r.handleChanged(old, obj)
	if old == nil && obj.VolumeID != "" {
		r.provisioned.Store(time.Now().UnixNano())
	}
	if old != nil && obj != nil && old.Same(obj) {
		return
	}
	for _, p := range []*state.PV{old, obj} {
		if p != nil {
			r.enqueue(p.IDs())
		}
	}
}

func (r *Reconciler) recordChanged(old, obj *state.Record) {
	r.recordIndex.change(old, obj)
	r.heard.Store(time.Now().UnixNano())
	if obj != nil {
		r.writer.Cached(obj)
	}
	if old != nil && (obj == nil || obj.UID != old.UID) { // another may have its name
		r.copies.forget(string(old.UID))
	}
	r.counts.change(old, obj)
	if r.leading.Load() {
		r.metrics.SetRecords(int(r.counts.all.Load()))
	}
	r.tracks.recordChanged(old, obj)
	if obj != nil {
		r.tracks.cached(obj)
	}
	if old != nil && obj != nil && old.Same(obj) {
		return
	}
	for _, rec := range []*state.Record{old, obj} {
		if rec != nil {
			r.enqueue(rec.IDs())
		}
	}
}

// enqueue hands IDs to the workers. A standby has none: when it takes over,
// every ID is compared anyway.
func (r *Reconciler) enqueue(ids []string) {
	if !r.leading.Load() {
		return
	}
	for _, id := range ids {
		r.queue.Add(id)
	}
}

// handler calls one function for all that happens to the objects of a cache:
// old is nil for one that has come, obj for one that has gone.
func handler[T any](changed func(old, obj *T)) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { changed(nil, obj.(*T)) },
		UpdateFunc: func(old, obj any) { changed(old.(*T), obj.(*T)) },
		DeleteFunc: func(obj any) {
			if missed, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = missed.Obj
			}
			if old, ok := obj.(*T); ok {
				changed(old, nil)
			}
		},
	}
}
