package cache

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	storageinformers "k8s.io/client-go/informers/storage/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// attachmentsRetry is the pause before VolumeAttachments are asked for again without the
// right to see them: it may come.
const attachmentsRetry = time.Minute

// WatchAttachments calls changed with the name of each PersistentVolume that is being
// attached or detached, or has been, and which of the two it is, until ctx ends. Nothing waits for it, and all goes on
// without the right to see VolumeAttachments: a listing tells what they tell, later.
func (c *Caches) WatchAttachments(ctx context.Context, kube kubernetes.Interface, changed func(pv string, attached bool)) {
	logger, said := klog.FromContext(ctx), false
	for ctx.Err() == nil {
		err := c.watchAttachments(ctx, kube, changed)
		if err != nil && !said {
			said = true
			logger.Info("There is no right to look at VolumeAttachments: that a volume was attached or detached is seen by the next listing", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(attachmentsRetry):
		}
	}
}

// watchAttachments returns when there is no right to see VolumeAttachments, or ctx has ended.
func (c *Caches) watchAttachments(ctx context.Context, kube kubernetes.Interface, changed func(pv string, attached bool)) error {
	ctx, stop := context.WithCancelCause(klog.NewContext(ctx, logr.Discard())) // what matters is said here
	defer stop(nil)
	informer := storageinformers.NewVolumeAttachmentInformer(kube, 0, cache.Indexers{})
	if err := informer.SetTransform(c.trimAttachment); err != nil {
		return err
	}
	if err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if apierrors.IsForbidden(err) {
			stop(err)
		}
	}); err != nil {
		return err
	}
	if _, err := informer.AddEventHandler(attachmentHandler(changed)); err != nil {
		return err
	}
	informer.RunWithContext(ctx)
	if err := context.Cause(ctx); apierrors.IsForbidden(err) {
		return err
	}
	return nil
}

// trimAttachment is the transform of the informer. A name that is known already is not kept
// again.
func (c *Caches) trimAttachment(obj any) (any, error) {
	attachment, ok := obj.(*storagev1.VolumeAttachment)
	if !ok {
		return obj, nil // trimmed before, or a tombstone
	}
	a := state.NewAttachment(attachment, c.driver)
	if pv := c.PV(a.PVName); pv != nil {
		a.PVName = pv.Name
	}
	return a, nil
}

// attachmentHandler calls one function for all that says something of a volume. What was
// there when the watch began is no news.
func attachmentHandler(changed func(pv string, attached bool)) cache.ResourceEventHandler {
	of := func(obj any, attached bool) {
		if a, ok := obj.(*state.Attachment); ok && a.PVName != "" {
			changed(a.PVName, attached)
		}
	}
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, initial bool) {
			if !initial {
				of(obj, true)
			}
		},
		UpdateFunc: func(old, obj any) {
			if is := obj.(*state.Attachment).Attached; is != old.(*state.Attachment).Attached {
				of(obj, is)
			}
		},
		DeleteFunc: func(obj any) {
			if missed, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = missed.Obj
			}
			of(obj, false)
		},
	}
}
