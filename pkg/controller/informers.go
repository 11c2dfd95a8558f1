package controller

import (
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	recordinformers "github.com/storageos/volume-sync-controller/pkg/generated/informers/externalversions"
)

// newInformers makes the two shared informers. Their caches hold our own
// compact types, put there by transforms, not the objects of the API.
func (r *Reconciler) newInformers(kube kubernetes.Interface, records versioned.Interface) error {
	r.pvInformer = informers.NewSharedInformerFactory(kube, 0).Core().V1().PersistentVolumes().Informer()
	err := r.prepare(r.pvInformer, trimPersistentVolume(r.settings.CSIDriver), persistentVolumeIndexers, handler(r.persistentVolumeChanged))
	if err != nil {
		return err
	}
	r.recordInformer = recordinformers.NewSharedInformerFactory(records, 0).StorageOS().V1().Volumes().Informer()
	return r.prepare(r.recordInformer, trimRecord, recordIndexers, handler(r.recordChanged))
}

func (r *Reconciler) persistentVolumeChanged(old, obj *persistentVolume) {
	if old != nil && obj != nil && old.same(obj) {
		return
	}
	for _, p := range []*persistentVolume{old, obj} {
		if p != nil && p.volumeID != "" {
			r.enqueue(p.volumeID)
		}
	}
}

func (r *Reconciler) recordChanged(old, obj *record) {
	r.counts.change(old, obj)
	r.tracks.recordChanged(old, obj)
	if old != nil && obj != nil && old.same(obj) {
		return
	}
	for _, rec := range []*record{old, obj} {
		if rec != nil {
			for _, id := range rec.ids() {
				r.enqueue(id)
			}
		}
	}
}

func (r *Reconciler) prepare(i cache.SharedIndexInformer, trim cache.TransformFunc, by cache.Indexers, h cache.ResourceEventHandler) error {
	if err := i.SetTransform(trim); err != nil {
		return err
	}
	if err := i.AddIndexers(by); err != nil {
		return err
	}
	registration, err := i.AddEventHandler(h)
	if err != nil {
		return err
	}
	r.handling = append(r.handling, registration)
	return nil
}

// enqueue hands an ID to the workers. A standby has none: when it takes over,
// every ID is compared anyway.
func (r *Reconciler) enqueue(id string) {
	if r.leading.Load() {
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
