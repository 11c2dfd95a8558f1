package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// remove asks StorageOS for the volume and deletes its record if that proves
// that the volume is gone.
func (r *Reconciler) remove(ctx context.Context, id string, o observation) error {
	logger := klog.FromContext(ctx)
	begun := time.Now()
	gone, err := r.gone(ctx, o)
	if !gone {
		r.unproven(ctx, id, err)
		return nil
	}
	// The answer took its time: what was decided before must still hold.
	o, again := r.decide(id)
	if again.verdict != ask {
		r.waiting.add(id)
		return nil
	}
	r.tracks.update(id, o.now, func(t track, _ string) track {
		t.proven = true
		t.levels.orphan, t.levels.held = true, ""
		return t
	})
	if !r.settings.DeleteOrphans {
		logger.Info("The volume of a record is gone; deleting is switched off", "record", o.record.name)
		return nil
	}
	uid := o.record.uid.unpack()
	err = r.records.StorageOSV1().Volumes().Delete(ctx, o.record.name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &o.record.resourceVersion},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		r.waiting.add(id) // somebody was faster: decided again on what the record says then
		return nil
	}
	if err != nil {
		return r.failed(ctx, metrics.StageDelete, fmt.Errorf("deleting record %s: %w", o.record.name, err))
	}
	r.tracks.deleted(id, time.Now())
	r.wrote(metrics.VerbDelete, o.record.name)
	r.metrics.DeleteDuration.Observe(time.Since(begun))
	logger.V(2).Info("Deleted record: its volume is gone", "record", o.record.name)
	return nil
}

// gone asks StorageOS for a volume by its ID. Only a 404 of the API itself, to each
// question, proves that it is gone, and only the cluster that was listed can give
// it.
func (r *Reconciler) gone(ctx context.Context, o observation) (bool, error) {
	questions := questions(o.record, o.pv, r.view.namespaceIDs(), r.view.hasSeen)
	if len(questions) == 0 {
		return false, errors.New("there is no StorageOS namespace to ask for it")
	}
	for _, q := range questions {
		_, _, err := r.api.Volume(ctx, q.namespaceID, q.id)
		switch {
		case err == nil:
			return false, nil
		case !storageos.IsNotFound(err):
			return false, fmt.Errorf("asking for the volume in namespace %s: %w", q.namespaceID, err)
		}
	}
	// Another cluster may have taken over since the listing: it does not have
	// the volume either.
	cluster, err := answeringCluster(ctx, r.api)
	if err != nil {
		return false, err
	}
	if cluster != o.sight.cluster {
		return false, fmt.Errorf("cluster %q was asked, and it was %q that was listed", cluster, o.sight.cluster)
	}
	return true, nil
}

// question is one for a volume by its ID.
type question struct{ namespaceID, id string }

// questions are those whose answers prove that the volume of a record is gone: in
// the namespace that the record names and in the one that the PersistentVolume
// names; in every listed one if neither does, or if the record names one that this
// process has never seen listed: a hand may have edited it. So may one have edited
// one of the two places that hold the ID: while they differ, both are asked for.
func questions(rec *record, pv *persistentVolume, listed []string, seen func(namespaceID string) bool) []question {
	var namespaces []string
	named := rec.namespaceID.get()
	if named != "" {
		namespaces = append(namespaces, named)
	}
	if pv != nil && pv.namespaceID.get() != named {
		namespaces = append(namespaces, pv.namespaceID.get())
	}
	if len(namespaces) == 0 || named != "" && !seen(named) {
		first := namespaces
		for _, ns := range listed {
			if !slices.Contains(first, ns) {
				namespaces = append(namespaces, ns)
			}
		}
	}
	var all []question
	for _, id := range rec.ids() {
		for _, ns := range namespaces {
			all = append(all, question{ns, id})
		}
	}
	return all
}

// unproven takes note that StorageOS did not prove a volume gone. It is asked
// again after another grace, and not before the next listing.
func (r *Reconciler) unproven(ctx context.Context, id string, err error) {
	if err != nil {
		r.metrics.Error(metrics.StageDelete)
		r.trouble.log(ctx, metrics.StageDelete, err)
	}
	now := time.Now()
	r.tracks.update(id, now, func(t track, _ string) track {
		t.asked, t.proven = now, false
		return t
	})
	o, d := r.decide(id)
	r.follow(id, o, d)
	r.waiting.add(id)
}
