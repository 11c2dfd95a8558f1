package controller

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/cache"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// early has volumes read between two listings because Kubernetes tells something of them.
//
//	what Kubernetes tells                  expected of the volume
//	a PersistentVolume is new              that it is there
//	a PersistentVolume has grown           that it is as large
//	an attachment comes, is done, goes     that it is attached or not, and another than was listed
//	a PersistentVolume is let go or goes   nothing: the volume can only go, which a listing shows
type early struct {
	kube   kubernetes.Interface
	caches *cache.Caches
	reader *source.EarlyReader
}

// newEarly is nil if volumes are read by listings alone.
func (r *Reconciler) newEarly(o Options) *early {
	if !o.Settings.EarlyReads {
		return nil
	}
	return &early{o.Kubernetes, r.caches, source.NewEarlyReader(o.StorageOS, r.view, source.ParallelEarlyReads, o.Metrics.EarlyRead, r.volumeShown, r.volumeRead)}
}

// volumeShown decides about a volume that an answer has shown, whether or not that counts as read: what
// was watched of its absence is void, and by the end of the next listing nobody would see that.
func (r *Reconciler) volumeShown(id string) { r.evaluate(id, nil) }

// volumeRead takes what a volume has shown that it did not show before.
func (r *Reconciler) volumeRead(id string, read source.Payload) {
	r.contents.Put(id, read)
	r.enqueue(r.related(id))
}

// listingBegun says that a listing has begun, which tells what nobody has read yet.
func (e *early) listingBegun() {
	if e != nil {
		e.reader.ListingBegun()
	}
}

// readEarly reads a volume of which its PersistentVolume tells something.
func (r *Reconciler) readEarly(old, obj *state.PV) {
	if r.early == nil || !r.leading.Load() || !mayRead(obj) {
		return
	}
	read := source.EarlyRead{NamespaceID: obj.NamespaceID.Value(), ID: obj.VolumeID, Reason: metrics.EarlyPersistentVolume}
	switch {
	case old == nil || old.UID != obj.UID:
	case obj.SizeBytes > old.SizeBytes:
		read.Shows = func(v *storageos.Volume, _ uint64) bool { return v.SizeBytes >= uint64(obj.SizeBytes) }
	default:
		return
	}
	r.early.reader.Ask(read)
}

// attachmentChanged reads the volume that is being attached or detached.
func (r *Reconciler) attachmentChanged(name string, attached bool) {
	pv := r.caches.PV(name)
	if !mayRead(pv) {
		return
	}
	// Two or three events tell of one attachment: each expects another content than before
	// the first of them, and not than the one that was read since.
	listed := r.view.ListedContent(pv.VolumeID)
	r.early.reader.Ask(source.EarlyRead{
		NamespaceID: pv.NamespaceID.Value(), ID: pv.VolumeID, Reason: metrics.EarlyAttachment,
		Shows: func(v *storageos.Volume, content uint64) bool {
			return content != listed && (v.AttachedOn != "") == attached
		},
	})
}

// mayRead tells whether the volume of a PersistentVolume is worth reading.
func mayRead(pv *state.PV) bool {
	return pv != nil && pv.VolumeID != "" && !pv.Terminating && pv.Phase.Value() != corev1.VolumeReleased
}

// run reads until ctx ends.
func (e *early) run(ctx context.Context, attachmentChanged func(pv string, attached bool)) {
	if e == nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { e.caches.WatchAttachments(ctx, e.kube, attachmentChanged) })
	e.reader.Run(ctx)
	wg.Wait()
}
