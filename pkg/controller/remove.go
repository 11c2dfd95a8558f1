package controller

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// remove asks StorageOS for the volume and deletes its record if that proves
// that the volume is gone.
func (r *Reconciler) remove(ctx context.Context, id string, o policy.Observation) error {
	if !r.proofs.enter(id) {
		return errAside
	}
	defer r.left(r.proofs) // after the deletion, which may take long too
	logger := klog.FromContext(ctx)
	begun := time.Now()
	asked := r.questions(o)
	gone, err := r.asker.Gone(ctx, o.Source.Cluster, asked)
	if !gone {
		r.unproven(ctx, id, err)
		return nil
	}
	// The answers took their time. They are a proof for the record that they were asked
	// for, as it was then.
	again, d := r.decide(id, false)
	r.schedule(id, again, d)
	if !policy.Confirms(o, again, d) || !slices.Equal(r.questions(again), asked) {
		r.recheck.add(id)
		return nil
	}
	r.tracker.update(id, again.Now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		return t.Proved(o)
	})
	if !r.settings.DeleteOrphans {
		logger.Info("The volume of a record is gone; deleting is switched off", "record", o.Record.Name)
		return nil
	}
	first := r.tracker.deleting(id, o.Record, d.Memory.Gauges.Absence, time.Now())
	err = r.writer.Delete(ctx, o.Record)
	if first && writer.NotDone(err) {
		r.tracker.notDeleted(o.Record) // one that was asked for before may have been done then
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		r.recheck.add(id) // somebody was faster: decided again on what the record says then
		return nil
	}
	if err != nil {
		// StorageOS is not asked again each time that this is tried. Whatever stands in the
		// way, a right or a policy, may go, but not at once.
		r.tracker.update(id, time.Now(), func(t policy.Memory, _ *policy.Breaker) policy.Memory {
			t.Asked = time.Now()
			return t
		})
		return r.failed(ctx, metrics.StageDelete, err)
	}
	r.tracker.deleted(id, time.Now())
	r.metrics.DeleteDuration.Observe(time.Since(begun))
	logger.Info("Deleted record: its volume is gone", "record", o.Record.Name)
	return nil
}

// questions are those that prove that the volume of a record is gone.
func (r *Reconciler) questions(o policy.Observation) []source.Check {
	return source.Checks(o.Record, o.PV, r.view.NamespaceIDs(), r.view.HasSeen)
}

// unproven takes note that StorageOS did not prove a volume gone. It is asked
// again after another grace, and not before the next listing.
func (r *Reconciler) unproven(ctx context.Context, id string, err error) {
	if err != nil {
		r.metrics.Error(metrics.StageDelete)
		r.errorLog.log(ctx, metrics.StageDelete, err)
	}
	now := time.Now()
	r.tracker.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		return t.NotProved(now)
	})
	o, d := r.decide(id, false)
	r.schedule(id, o, d)
	r.recheck.add(id)
}
