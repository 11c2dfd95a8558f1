package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// parallelQuestions bounds how many volumes are asked for by ID at a time, however many
// workers and namespaces there are.
const parallelQuestions = 16

// remove asks StorageOS for the volume and deletes its record if that proves
// that the volume is gone.
func (r *Reconciler) remove(ctx context.Context, id string, o policy.Observation) error {
	if !r.proofs.enter(id) {
		return errAside
	}
	defer r.left(r.proofs) // also when that takes long which follows
	logger := klog.FromContext(ctx)
	begun := time.Now()
	asked := r.questions(o)
	gone, err := r.gone(ctx, o.Source.Cluster, asked)
	if !gone {
		r.unproven(ctx, id, err)
		return nil
	}
	// The answers took their time. They are a proof for the record that they were asked
	// for, as it was then.
	is, d := r.decide(id, false)
	r.follow(id, is, d)
	if d.Verdict != policy.Verify || is.Record.UID != o.Record.UID || is.Record.ResourceVersion != o.Record.ResourceVersion ||
		is.Source.Cluster != o.Source.Cluster || !slices.Equal(r.questions(is), asked) {
		r.waiting.add(id)
		return nil
	}
	r.tracks.update(id, is.Now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t.Proven, t.Asked = o.Record.ResourceVersion, time.Time{}
		t.Gauges.Orphan, t.Gauges.Held = true, ""
		return t
	})
	if !r.settings.DeleteOrphans {
		logger.Info("The volume of a record is gone; deleting is switched off", "record", o.Record.Name)
		return nil
	}
	first := r.tracks.deleting(id, o.Record, d.Memory.Gauges.Absence, time.Now())
	err = r.writer.Delete(ctx, o.Record)
	if first && writer.NotDone(err) {
		r.tracks.notDeleted(o.Record) // one that was asked for before may have been done then
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		r.waiting.add(id) // somebody was faster: decided again on what the record says then
		return nil
	}
	if err != nil {
		// StorageOS is not asked again each time that this is tried. Whatever stands in the
		// way, a right or a policy, may go, but not at once.
		r.tracks.update(id, time.Now(), func(t policy.Memory, _ *policy.Breaker) policy.Memory {
			t.Asked = time.Now()
			return t
		})
		return r.failed(ctx, metrics.StageDelete, err)
	}
	r.tracks.deleted(id, time.Now())
	r.metrics.DeleteDuration.Observe(time.Since(begun))
	logger.Info("Deleted record: its volume is gone", "record", o.Record.Name)
	return nil
}

// gone asks StorageOS for a volume by its ID. Only a 404 of the API itself, to each
// question, proves that it is gone, and only between two answers of the cluster that was
// listed: another one does not have the volume either.
func (r *Reconciler) gone(ctx context.Context, listed string, questions []question) (bool, error) {
	if len(questions) == 0 {
		return false, errors.New("there is no StorageOS namespace to ask for it")
	}
	before, err := askCluster(ctx, r.api, r.view)
	if err != nil {
		return false, err
	}
	if before.cluster != listed {
		return false, fmt.Errorf("cluster %q answers, and it was %q that was listed", before.cluster, listed)
	}
	if gone, err := r.notFound(ctx, questions); !gone {
		return false, err
	}
	after, err := askCluster(ctx, r.api, r.view)
	if err != nil {
		return false, err
	}
	if err := before.agrees(after, r.view); err != nil {
		return false, fmt.Errorf("the StorageOS cluster changed while a volume was asked for: %w", err)
	}
	return true, nil
}

// notFound tells whether each question was answered by a 404 of the API itself.
func (r *Reconciler) notFound(ctx context.Context, questions []question) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan error, len(questions))
	left := len(questions)
	for next := 0; left > 0; {
		asking := r.asking
		if next == len(questions) {
			asking = nil
		}
		select {
		case asking <- struct{}{}:
			q := questions[next]
			next++
			go func() {
				defer func() { <-r.asking }()
				answers <- r.ask(ctx, q)
			}()
		case err := <-answers:
			if left--; !storageos.IsNotFound(err) {
				return false, err
			}
		}
	}
	return true, nil
}

// ask asks one question. Nil says that the volume is there.
func (r *Reconciler) ask(ctx context.Context, q question) error {
	begun := time.Now()
	_, _, err := r.api.Volume(ctx, q.namespaceID, q.id)
	if err == nil {
		r.view.shown(q.id, begun)
		return nil
	}
	if storageos.IsNotFound(err) {
		return err
	}
	return fmt.Errorf("asking for the volume in namespace %s: %w", q.namespaceID, err)
}

// question is one for a volume by its ID.
type question struct{ namespaceID, id string }

// questions are those whose answers prove that the volume of a record is gone: in
// the namespace that the record names and in the one that the PersistentVolume
// names; in every listed one if neither does, or if the record names one that this
// process has never seen listed: a hand may have edited it. So may one have edited
// one of the two places that hold the ID: while they differ, both are asked for.
func questions(rec *state.Record, pv *state.PV, listed []string, seen func(namespaceID string) bool) []question {
	var namespaces []string
	named := rec.NamespaceID.Value()
	if named != "" {
		namespaces = append(namespaces, named)
	}
	if pv != nil && pv.NamespaceID.Value() != named {
		namespaces = append(namespaces, pv.NamespaceID.Value())
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
	for _, id := range rec.IDs() {
		for _, ns := range namespaces {
			all = append(all, question{ns, id})
		}
	}
	return all
}

func (r *Reconciler) questions(o policy.Observation) []question {
	return questions(o.Record, o.PV, r.view.namespaceIDs(), r.view.hasSeen)
}

// unproven takes note that StorageOS did not prove a volume gone. It is asked
// again after another grace, and not before the next listing.
func (r *Reconciler) unproven(ctx context.Context, id string, err error) {
	if err != nil {
		r.metrics.Error(metrics.StageDelete)
		r.trouble.log(ctx, metrics.StageDelete, err)
	}
	now := time.Now()
	r.tracks.update(id, now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t.Asked, t.Proven = now, ""
		return t
	})
	o, d := r.decide(id, false)
	r.follow(id, o, d)
	r.waiting.add(id)
}
