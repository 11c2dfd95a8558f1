package controller

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// failuresInARow are so many writes after which Kubernetes is said to take none.
const failuresInARow = 100

// errNoWrites is why a volume is not asked for: it is tried again like one whose write failed.
var errNoWrites = errors.New("no writes are taken by Kubernetes")

// errAltered and errUnmarked are as if the API server did not take a record: what it has stored,
// as a policy or a webhook may have it do, is not how the volume is.
var (
	errAltered  = errors.New("other copies are stored than were written")
	errUnmarked = errors.New("the mark of its absence is not stored")
)

// altered tells what of a write is not in the record that came of it, nil if all that others rely
// on is. The content is nil if it was not written, the mark empty if there is to be none.
func altered(c *record.Content, mark state.Mark, after *v1.Volume) error {
	switch {
	case c != nil && !record.SameCopies(&c.Status, &after.Status):
		return errAltered
	case mark != "" && after.Annotations[v1.AnnotationAbsentSince] == "":
		return errUnmarked
	}
	return nil
}

// tried takes note of whether Kubernetes takes writes. What it refuses is about one volume,
// and so is a conflict, but not if every write has one.
func (r *Reconciler) tried(err error) {
	if err != nil && !writer.Refused(err) {
		r.failures.Add(1)
	} else {
		r.failures.Store(0)
	}
}

// refuse takes note that the API server does not take the record of a volume as
// it is: it is not tried again for a while, unless the volume changes.
func (r *Reconciler) refuse(ctx context.Context, id string, o policy.Observation, err error) {
	r.metrics.Error(metrics.StageSave)
	r.errorLog.log(ctx, "refused", err)
	first := false
	r.tracker.update(id, o.Now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t, first = t.WasRefused(o)
		return t
	})
	r.queue.AddAfter(id, policy.RefusedPause)
	if first {
		r.say(policy.OnRecordOr(o.Record, o.PV, corev1.EventTypeWarning, policy.EventInvalid,
			"the record of the volume cannot be written: "+err.Error())...)
	}
}

// failed counts and logs a failure and hands it on. Conflicts are none: the
// cache was behind, the key is tried again; nor is what was not tried.
func (r *Reconciler) failed(ctx context.Context, stage string, err error) error {
	if err == nil {
		return nil
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || errors.Is(err, errNoWrites) || errors.Is(err, errAside) {
		klog.FromContext(ctx).V(4).Info("Trying again", "err", err)
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	r.metrics.Error(stage)
	r.errorLog.log(ctx, stage, err)
	return err
}
