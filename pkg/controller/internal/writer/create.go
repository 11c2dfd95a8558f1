package writer

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// create makes a record under the first name that is free. A record that is the volume's
// own is written instead: the cache was behind.
func (w *Writer) create(ctx context.Context, c *Change) (Result, error) {
	if err := w.listAnew(ctx); err != nil {
		return Result{}, err
	}
	live, err := w.uncached(ctx, c.VolumeID)
	if err != nil {
		return Result{}, err
	}
	if live != nil {
		res, err := w.writeLive(ctx, c, live)
		res.Again = true // should it not be to be written: it is terminating
		return res, err
	}
	if len(w.caches.RecordsOf(c.VolumeID)) > 0 {
		return Result{Again: true}, nil // the cache has learned of it since that was decided
	}
	rec := &v1.Volume{}
	c.apply(rec)
	status := rec.Status
	rec.Status = v1.VolumeStatus{} // the API server would read it, check it and drop it
	names := record.Names(c.VolumeID, c.Content.Name, rec.Spec.ConfigLabels, c.PVName,
		func(name string) bool { return w.caches.OthersPV(name, c.VolumeID) })
	for n, name := range names {
		rec.Name = name
		created, err := w.createOne(ctx, c.VolumeID, rec)
		if err == nil {
			// It has no status yet: there is nothing to compare.
			after, err := w.patch(ctx, name, created.ResourceVersion, patches{status: status})
			return Result{After: cmp.Or(after, created)}, err
		}
		if !apierrors.IsAlreadyExists(err) {
			return Result{}, fmt.Errorf("creating record %s: %w", name, err)
		}
		live, err := w.records.StorageOSV1().Volumes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return Result{}, fmt.Errorf("reading record %s, whose name is taken: %w", name, err)
		}
		holder := state.NewRecord(live)
		if holder.Identity(w.caches.Lists) == c.VolumeID {
			return w.writeLive(ctx, c, live)
		}
		if n == 0 && c.Waits(holder) {
			return Result{Awaits: name}, nil
		}
	}
	return Result{}, fmt.Errorf("%w: %.80q", errNoName, names)
}

// createOne makes a record under a name. Until the cache has it, it is remembered.
func (w *Writer) createOne(ctx context.Context, volumeID string, rec *v1.Volume) (*v1.Volume, error) {
	w.creations.begun(volumeID, rec.Name)
	created, err := w.records.StorageOSV1().Volumes().Create(ctx, rec,
		metav1.CreateOptions{FieldManager: fieldManager, FieldValidation: fieldValidation})
	if err != nil {
		if apierrors.IsAlreadyExists(err) || NotDone(err) {
			w.creations.forget(volumeID)
		}
		return nil, err
	}
	w.creations.made(volumeID, creation{created.Name, state.UIDOf(created.UID)})
	w.wrote(metrics.VerbCreate, created.Name)
	klog.FromContext(ctx).V(2).Info("Created record", "record", created.Name)
	return created, nil
}
