package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/generated/clientset/versioned"
	recordinformers "github.com/storageos/volume-sync-controller/pkg/generated/informers/externalversions/storageos/v1"
)

// Caches are those of PersistentVolumes and records. They hold the types of package state,
// put there by transforms, not the objects of the API.
type Caches struct {
	// PVs and Records fill the caches.
	PVs, Records cache.SharedIndexInformer

	driver        string
	claims        bool // the UIDs of claims are kept
	pvIndex       *index[*state.PV]
	recordIndex   *index[*state.Record]
	pvHandled     cache.ResourceEventHandlerRegistration
	recordHandled cache.ResourceEventHandlerRegistration
	unreadable    unreadable
	counts        recordCount
	sum           recordSum
	changed       Changed

	heard       atomic.Int64 // when the watch of records last told something, Unix nanoseconds
	provisioned atomic.Int64 // when a PersistentVolume of ours last came, the same

	fill   sync.Once
	filled sync.WaitGroup  // the informers
	ctx    context.Context // theirs
}

// Changed are told of each change, one after the other for each of the two: old is nil for
// an object that has come, obj for one that has gone.
type Changed struct {
	// PV: unreadable says that its handle, which names no volume, was not known before.
	PV     func(old, obj *state.PV, unreadable bool)
	Record func(old, obj *state.Record)
}

// New makes the informers, and starts nothing. They are made without a factory, whose
// informers index everything by namespace: no object here has one. Driver is the CSI driver
// whose PersistentVolumes count; claims has the UIDs of their claims kept.
func New(kube kubernetes.Interface, records versioned.Interface, driver string, claims bool, changed Changed) (*Caches, error) {
	c := &Caches{
		PVs:     coreinformers.NewPersistentVolumeInformer(kube, 0, cache.Indexers{}),
		Records: recordinformers.NewVolumeInformer(records, 0, cache.Indexers{}),
		driver:  driver, claims: claims, changed: changed,
	}
	c.pvIndex = newIndex[*state.PV](c.PVs.GetStore())
	c.recordIndex = newIndex[*state.Record](c.Records.GetStore())
	var errs [2]error
	c.pvHandled, errs[0] = prepare(c.PVs, c.TrimPV, handler(c.PVChanged))
	c.recordHandled, errs[1] = prepare(c.Records, c.TrimRecord, handler(c.RecordChanged))
	return c, errors.Join(errs[:]...)
}

func prepare(i cache.SharedIndexInformer, trim cache.TransformFunc, h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	if err := i.SetTransform(trim); err != nil {
		return nil, err
	}
	return i.AddEventHandler(h)
}

// Fill fills the caches and returns when they are filled; they are kept up to date until the
// context of the first call ends.
func (c *Caches) Fill(ctx context.Context) error {
	quiet := klog.NewContext(ctx, logr.Discard()) // it names its types, which help nobody
	c.fill.Do(func() {
		c.ctx = ctx
		c.filled.Go(func() { c.PVs.RunWithContext(ctx) })
		c.filled.Go(func() {
			// One after the other: what comes at once takes memory at once, and
			// a record is kept in fewer bytes if its PersistentVolume is known.
			if cache.WaitFor(quiet, "PersistentVolumes", c.pvHandled.HasSyncedChecker()) {
				c.Records.RunWithContext(ctx)
			}
		})
	})
	if !cache.WaitFor(quiet, "PersistentVolumes and records", c.pvHandled.HasSyncedChecker(), c.recordHandled.HasSyncedChecker()) {
		return fmt.Errorf("filling the caches: %w", context.Cause(ctx))
	}
	return nil
}

// Wait waits for the informers to end, if their context has; false if it has not.
func (c *Caches) Wait() bool {
	if c.ctx.Err() == nil {
		return false
	}
	c.filled.Wait()
	return true
}

// PVChanged is what the informer of PersistentVolumes calls.
func (c *Caches) PVChanged(old, obj *state.PV) {
	c.pvIndex.change(old, obj)
	if old == nil && obj.VolumeID != "" {
		c.provisioned.Store(time.Now().UnixNano())
	}
	c.changed.PV(old, obj, c.unreadable.change(old, obj))
}

// RecordChanged is what the informer of records calls.
func (c *Caches) RecordChanged(old, obj *state.Record) {
	c.recordIndex.change(old, obj)
	c.heard.Store(time.Now().UnixNano())
	c.counts.change(old, obj)
	c.sum.change(old, obj, time.Now())
	c.changed.Record(old, obj)
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
