package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// fieldManager is the name under which the API server notes our writes.
const fieldManager = "storageos-volume-sync"

// The product's own CRD does not know the fields that were added. The API
// server prunes them; it need not warn about each at each write.
const fieldValidation = metav1.FieldValidationIgnore

// write is one record on its way to what it should say.
type write struct {
	id       string
	content  *record.Content // nil: the content is right as it is
	specHash uint64
	state    state.Summary
	cluster  string // "" leaves it as it is
	unsure   bool   // it may say already what the cache does not know of
	now      metav1.Time

	// Of a record that is not there yet.
	pvName  string // the name of its PersistentVolume, "" if there is none
	patient bool   // it waits for its name, if who has that is about to go
	awaits  string // the name that it waits for, "" if it does not
	holder  policy.NameHolder
}

// apply changes a record to what it should say.
func (w *write) apply(r *v1.Volume) {
	if w.content != nil {
		w.content.Apply(r)
	}
	if w.cluster != "" {
		metav1.SetMetaDataAnnotation(&r.ObjectMeta, v1.AnnotationClusterID, w.cluster)
	}
	w.state.Apply(r, w.now.Time)
}

// save creates the record of a volume or writes what it should say.
func (r *Reconciler) save(ctx context.Context, id string, o policy.Observation, d policy.Decision, raw []byte) error {
	if d.Content && raw == nil && r.leftToListing(&o) {
		return nil
	}
	begun := time.Now()
	var c *record.Content
	var lacks error // why, unless the next listing brings the ID back
	if d.Content {
		if c, raw, lacks = r.content(ctx, id, o, raw); c == nil {
			d.WithoutContent(&o) // what Kubernetes tells does not wait for it
		}
		if d.Verdict != policy.Save {
			return r.failed(ctx, metrics.StageSave, errors.Join(lacks, r.findOut(ctx, id, d.Memory.Unanswered)))
		}
	}
	w := &write{id: id, content: c, state: d.Want, unsure: d.Memory.Unanswered.Was != nil, now: metav1.NewTime(o.Now), patient: !o.Memory.Wait.Over}
	if o.PV != nil {
		w.pvName = o.PV.Name
	}
	if o.Source.Presence == policy.Present {
		w.cluster = o.Source.Cluster
	}
	if c != nil {
		is, spec := state.DigestContent(*c)
		w.specHash = spec
		w.state.Health, d.Want.Health = is.Health, is.Health
		if is.Content != d.Want.Content {
			// It has changed since it was listed: what is written now is looked at
			// again when the next listing has shown it, or has not.
			d.Want.Content = is.Content
			r.waiting.add(id)
		}
	}
	was, after, err := r.writeInTurn(ctx, w, o.Record)
	if errors.Is(err, errAside) {
		r.contents.putBack(id, raw)
		return err
	}
	if err != nil || after != nil {
		r.tried(err)
	}
	r.replaced(id, was, after, o.Now)
	if err != nil && was != nil {
		r.unanswered(id, o.Now, was, after, d.Want.Health, err)
	}
	if w.awaits != "" {
		r.awaitName(id, w, o, raw)
		return nil
	}
	if refused(err) {
		r.refuse(ctx, id, o, err)
		return nil
	}
	if err != nil {
		r.contents.putBack(id, raw) // it is tried again
	}
	if err != nil || after == nil {
		return r.failed(ctx, metrics.StageSave, cmp.Or(err, lacks))
	}
	if was == nil || was.ResourceVersion != after.ResourceVersion {
		r.metrics.SaveDuration.Observe(time.Since(begun))
	}
	r.saved(id, o, d, was, after)
	return r.failed(ctx, metrics.StageSave, lacks)
}

// write brings a record to what it should say. It returns what the record was before
// and is after; both are nil if there was nothing that could be written now: the
// record's own event will bring its ID back.
func (r *Reconciler) write(ctx context.Context, w *write, known *state.Record) (was *state.Record, after *v1.Volume, err error) {
	if known == nil {
		return r.create(ctx, w)
	}
	version := known.ResourceVersion
	if w.unsure {
		version = ""
	}
	if w.outlined(known) {
		p, err := w.patchesOf(known)
		if err != nil {
			return nil, nil, err
		}
		if !p.empty() {
			after, err := r.patch(ctx, known.Name, known.ResourceVersion, p)
			if after != nil || !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				return known, after, err
			}
			version = "" // the cache is behind, and maybe the API server's too
		}
	}
	// Not older than what is known will do: the API server then need not ask etcd.
	// Should it be older than what is stored, the patch is refused.
	live, err := r.records.StorageOSV1().Volumes().Get(ctx, known.Name, metav1.GetOptions{ResourceVersion: version})
	if apierrors.IsNotFound(err) {
		return nil, nil, nil // the cache is behind
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading record %s: %w", known.Name, err)
	}
	if live.ResourceVersion != known.ResourceVersion && w.state.Mark != "" && live.Annotations[v1.AnnotationAbsentSince] == "" {
		// It may name another judge than the record that was decided on: what is to be
		// marked is looked at again when the cache has it.
		r.waiting.add(w.id)
		return nil, nil, nil
	}
	return r.writeLive(ctx, w, live)
}

// writeLive brings a record that was read to what it should say, if it is the volume's.
func (r *Reconciler) writeLive(ctx context.Context, w *write, live *v1.Volume) (was *state.Record, after *v1.Volume, err error) {
	if !r.isOurs(live, w.id) {
		return nil, nil, nil
	}
	was = state.NewRecord(live)
	if w.content == nil && w.state.Present == state.PresentTrue {
		w.state.Health = was.Copies // these copies stay, and they may be others than were decided on
	}
	p, err := w.patches(live, nil)
	if err != nil {
		return nil, nil, err
	}
	after = live
	if !p.empty() {
		after, err = r.patch(ctx, live.Name, live.ResourceVersion, p)
	}
	return was, after, err
}

// isOurs tells whether a record is the volume's and may be written.
func (r *Reconciler) isOurs(live *v1.Volume, id string) bool {
	return live.DeletionTimestamp == nil && state.NewRecord(live).Identity(r.view.lists) == id
}

// create makes a record under the first name that is free. A record that is the volume's
// own is written instead: the cache was behind.
func (r *Reconciler) create(ctx context.Context, w *write) (was *state.Record, after *v1.Volume, err error) {
	if err := r.listAnew(ctx); err != nil {
		return nil, nil, err
	}
	live, err := r.uncached(ctx, w.id)
	if err != nil {
		return nil, nil, err
	}
	if live != nil {
		r.waiting.add(w.id) // should it not be to be written: it is terminating
		return r.writeLive(ctx, w, live)
	}
	if len(r.recordsOf(w.id)) > 0 {
		r.waiting.add(w.id) // the cache has learned of it since that was decided
		return nil, nil, nil
	}
	record := &v1.Volume{}
	w.apply(record)
	status := record.Status
	record.Status = v1.VolumeStatus{} // the API server would read it, check it and drop it
	names := recordNames(w.id, w.content.Name, record.Spec.ConfigLabels, w.pvName,
		func(name string) bool { return r.othersPersistentVolume(name, w.id) })
	for n, name := range names {
		record.Name = name
		created, err := r.createOne(ctx, w.id, record)
		if err == nil {
			// It has no status yet: there is nothing to compare.
			after, err = r.patch(ctx, name, created.ResourceVersion, patches{status: status})
			return nil, after, err
		}
		if !apierrors.IsAlreadyExists(err) {
			return nil, nil, fmt.Errorf("creating record %s: %w", name, err)
		}
		live, err := r.records.StorageOSV1().Volumes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, nil, fmt.Errorf("reading record %s, whose name is taken: %w", name, err)
		}
		holder := state.NewRecord(live)
		if holder.Identity(r.view.lists) == w.id {
			return r.writeLive(ctx, w, live)
		}
		if w.holder = r.holds(holder, w.id); n == 0 && w.patient && w.holder.Leaving {
			w.awaits = name
			return nil, nil, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: %.80q", errNoName, names)
}

// createOne makes a record under a name. Until the cache has it, it is remembered.
func (r *Reconciler) createOne(ctx context.Context, id string, record *v1.Volume) (*v1.Volume, error) {
	r.creations.begun(id, record.Name)
	created, err := r.records.StorageOSV1().Volumes().Create(ctx, record,
		metav1.CreateOptions{FieldManager: fieldManager, FieldValidation: fieldValidation})
	if err != nil {
		if apierrors.IsAlreadyExists(err) || notDone(err) {
			r.creations.forget(id)
		}
		return nil, err
	}
	r.creations.made(id, creation{created.Name, state.PackUID(created.UID)})
	r.wrote(metrics.VerbCreate, created.Name)
	klog.FromContext(ctx).V(2).Info("Created record", "record", created.Name)
	return created, nil
}

// patches lead from a record to what it should say.
func (w *write) patches(from *v1.Volume, anew map[string]any) (patches, error) {
	to := from.DeepCopy()
	w.apply(to)
	return diff(from, to, anew)
}

// patch writes what differs from a version of a record: the resource first, then its
// status. A mark comes last: a record that has one never says that its volume is well,
// not even between two writes. With an error it returns what the first of two has left.
func (r *Reconciler) patch(ctx context.Context, name, version string, p patches) (after *v1.Volume, _ error) {
	resource := func() (*v1.Volume, error) {
		if len(p.resource) == 0 {
			return after, nil
		}
		return r.patchOne(ctx, name, version, p.resource, metrics.VerbPatch)
	}
	status := func() (*v1.Volume, error) {
		if p.status == nil {
			return after, nil
		}
		return r.patchOne(ctx, name, version, map[string]any{"status": p.status}, metrics.VerbPatchStatus, "status")
	}
	writes := []func() (*v1.Volume, error){resource, status}
	if p.marks() {
		slices.Reverse(writes)
	}
	for _, write := range writes {
		is, err := write()
		if err != nil {
			return after, err
		}
		if after = is; after != nil {
			version = after.ResourceVersion
		}
	}
	return after, nil
}

func (r *Reconciler) patchOne(ctx context.Context, name, version string, patch map[string]any, verb string, subresources ...string) (*v1.Volume, error) {
	body, err := pinned(patch, version)
	if err != nil {
		return nil, err
	}
	after, err := r.records.StorageOSV1().Volumes().Patch(ctx, name, types.MergePatchType, body,
		metav1.PatchOptions{FieldManager: fieldManager, FieldValidation: fieldValidation}, subresources...)
	if err != nil {
		return nil, fmt.Errorf("writing record %s (%s): %w", name, verb, err)
	}
	if after.ResourceVersion != version { // otherwise it said so already
		r.wrote(verb, name)
		klog.FromContext(ctx).V(2).Info("Wrote record", "record", name, "verb", verb)
	}
	return after, nil
}

// wrote counts a write of a record and hands it on.
func (r *Reconciler) wrote(verb, record string) {
	r.metrics.Wrote(verb)
	r.onWrite(verb, record)
}

// saved remembers and says what a save has changed.
func (r *Reconciler) saved(id string, o policy.Observation, d policy.Decision, was *state.Record, after *v1.Volume) {
	is := state.NewRecord(after)
	quiet, said, settled := false, policy.Unanswered{}, policy.AppliedBy(d, was, is)
	r.tracks.update(id, o.Now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		quiet, said = t.Quiet != 0, t.Unanswered
		t.Unanswered = policy.Unanswered{}
		if was != nil && !d.Content && said.Health != "" && !was.Whole() {
			t.Unanswered.Health = said.Health // half of it is there still
		}
		if !d.Lacking {
			t.Quiet = 0
			t.Gauges.Invalid = o.Source.Presence == policy.Present && o.Source.Invalid != ""
		}
		t.Applied = settled
		t.Written = nil
		// Of a record that the cache does not know, or has as it is now, what was
		// written is of no use: a first start would remember every record by it.
		if policy.Newest(is, r.cachedRecord(is.Name)) == is {
			t.Written = is
		}
		if d.Content {
			t.Refused, t.Progressed = policy.Refusal{}, time.Time{}
			if syncing(after) {
				t.Progressed = o.Now
			}
		}
		return t
	})
	if o.Source.Presence == policy.Absent {
		// Its deletion is decided next. The record's own event does not always
		// bring the ID back: the API server may have dropped all that was written.
		r.waiting.add(id)
	}
	r.kept(id, is, settled == policy.Applied{})
	if pending := said.Health; was != nil && !quiet {
		said.Health = cmp.Or(said.Health, was.Copies.Value().Health)
		r.say(said.Tell(was)...) // by the write that was not answered
		if d.Content || was.Whole() || pending == "" {
			r.say(policy.HealthEvent(is.Ref(), said.Health, is.Copies.Value())...)
		}
	}
}

// syncing tells whether a record says how far a replica's sync has come.
func syncing(r *v1.Volume) bool {
	return slices.ContainsFunc(r.Status.Replicas, func(r v1.Replica) bool { return r.SyncProgress != nil })
}
