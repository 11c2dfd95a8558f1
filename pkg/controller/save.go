package controller

import (
	"cmp"
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/writer"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// save creates the record of a volume or writes what it should say.
func (r *Reconciler) save(ctx context.Context, id string, o policy.Observation, d policy.Decision, kept source.Payload) error {
	begun := time.Now()
	var c *record.Content
	var lacks error // why, unless the next listing brings the ID back
	if d.Content {
		if kept.JSON == nil && r.listsAnew(id, &o, &d) {
			return nil
		}
		if c, kept, lacks = r.content(ctx, id, o, kept); c == nil {
			d.WithoutContent(&o) // what Kubernetes tells does not wait for it
		}
		if d.Verdict != policy.Save {
			return r.failed(ctx, metrics.StageSave, errors.Join(lacks, r.findOut(ctx, id, d.Memory.Unanswered)))
		}
	}
	change := &writer.Change{VolumeID: id, Content: c, Summary: d.Want, Unsure: d.Memory.Unanswered.Was != nil, Now: metav1.NewTime(o.Now)}
	var holder policy.NameHolder
	change.Waits = func(rec *state.Record) bool {
		holder = r.holds(rec, id, o.Source)
		over := o.Memory.Wait.Over && o.Memory.Wait.Name == rec.Name
		return holder.Leaving && !over
	}
	if o.PV != nil {
		change.PVName = o.PV.Name
	}
	if o.Source.Presence == policy.Present {
		change.Cluster = o.Source.Cluster
	}
	if c != nil {
		is, spec := state.DigestContent(*c)
		change.SpecHash = spec
		change.Summary.Health, d.Want.Health = is.Health, is.Health
		if is.Content != d.Want.Content {
			// It has changed since it was listed: what is written now is looked at
			// again when the next listing has shown it, or has not. Or StorageOS says by
			// its ID something else than by lists, which count.
			d.Want.Content = is.Content
			r.recheck.add(id)
			r.view.DecodeAgain([]string{id})
		}
	}
	res, err := r.writeInTurn(ctx, change, o.Record)
	if errors.Is(err, errAside) {
		r.contents.PutBack(id, kept)
		return err
	}
	was, after := res.Was, res.After
	if res.Again {
		r.recheck.add(id)
	}
	if err != nil || after != nil {
		r.tried(err)
	}
	if d.Memory.Unanswered.Was != nil {
		r.foundStored(id, was)
	}
	r.lastWrote(id, d, was, after)
	if err != nil && was != nil {
		r.unanswered(id, o.Now, was, after, &d, err)
	}
	if res.Awaits != "" {
		r.awaitName(id, res.Awaits, holder, o, kept)
		return nil
	}
	if err == nil && after != nil {
		err = altered(c, d.Want.Mark, after)
	}
	if writer.Refused(err) || errors.Is(err, errAltered) || errors.Is(err, errUnmarked) {
		r.refuse(ctx, id, o, err)
		return nil
	}
	if err != nil {
		r.contents.PutBack(id, kept) // it is tried again
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

// listsAnew lets the next listing bring the content of a record that an API server shows as an
// older CRD has left it, though it was written. There may be many.
func (r *Reconciler) listsAnew(id string, o *policy.Observation, d *policy.Decision) bool {
	return d.Undone && o.Record != nil && !o.Record.Summary.Complete() && o.Source.LastComplete && len(r.view.DecodeAgain([]string{id})) == 0
}

// content is what the record should say of the volume: out of the listing that
// queued it, or asked for by ID; and the answer that says so, which is kept again if it
// cannot be written. Nil if the volume has gone or cannot be recorded: the next listing
// will show it.
func (r *Reconciler) content(ctx context.Context, id string, o policy.Observation, kept source.Payload) (*record.Content, source.Payload, error) {
	asks := kept.JSON == nil
	if asks {
		if !r.mayTry(id) {
			return nil, kept, errNoWrites
		}
		if !r.reads.enter(id) {
			return nil, kept, errAside
		}
		defer r.left(r.reads)
	}
	kept, v, err := r.asker.Volume(ctx, o.Source.NamespaceID, id, kept)
	answered := err == nil || storageos.IsNotFound(err)
	if err == nil {
		var c record.Content
		if c, err = record.FromVolume(v, o.Source.NamespaceID, r.view.NodeNames()); err == nil {
			return &c, kept, nil
		}
	}
	if asks {
		r.view.DecodeAgain([]string{id}) // a list that comes shows it whole
	}
	if !answered {
		return nil, source.Payload{}, err
	}
	r.recheck.add(id)
	return nil, source.Payload{}, nil // the listing reports it
}

// saved remembers and says what a save has changed.
func (r *Reconciler) saved(id string, o policy.Observation, d policy.Decision, was *state.Record, after *v1.Volume) {
	is := state.NewRecord(after)
	var events []policy.Event
	stored := was == nil || was.ResourceVersion != is.ResourceVersion
	r.tracker.update(id, o.Now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		t, events = t.Saved(o, d, was, is, r.caches.Record(is.Name))
		if !stored && !t.LastWrite.Undone() && o.Source.Presence == policy.Present && o.Source.Invalid == "" && !d.Lacking &&
			d.Want.Content == o.Source.Digest.Content && (d.Content || is.Summary.Content == d.Want.Content) {
			// No event brings the ID back. What was seen of it meanwhile counts.
			r.backlog.note(id, o.Look, policy.Right, 0)
		}
		return t
	})
	if !stored {
		r.recheck.add(id)
	}
	r.sayOf(id, events...)
	if was != nil && !d.Content && was.Summary.Content != d.Want.Content {
		// Somebody has written something else into it, which a watch that is quiet does not tell.
		r.recheck.add(id)
	}
	if o.Source.Presence == policy.Absent {
		// Its deletion is decided next. The record's own event does not always
		// bring the ID back: the API server may have dropped all that was written.
		r.recheck.add(id)
	}
	r.completion.wrote(id, was != nil && is.Summary != was.Summary)
}

// wrote counts a write of a record and hands it on.
func (r *Reconciler) wrote(verb, record string) {
	r.metrics.Wrote(verb)
	r.onWrite(verb, record)
}
