package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// observe looks a volume up in the three local views.
func (r *Reconciler) observe(id string) policy.Observation {
	o := policy.Observation{Look: r.backlog.look(), Now: time.Now()}
	o.Source, o.AnyCluster = r.view.Look(id), r.caches.NamesCluster()
	o.Provisioned = r.caches.Provisioned()
	o.PV = r.caches.PVOf(id)
	o.Aside = r.proofs.waits(id)
	o.Older = r.crd.capability() == crdOlder
	var copies []*state.Record
	o.Record, copies = state.ChooseRecord(r.recordsOf(id))
	o.LeftAlone = len(copies)
	for _, c := range copies {
		if !c.Terminating && c.NamespaceID == o.Record.NamespaceID {
			o.Duplicates++
		}
	}
	r.reportCopies(id, copies, o.Source.InitialSync)
	return o
}

// recordsOf are the records that describe a volume.
func (r *Reconciler) recordsOf(id string) []*state.Record {
	return slices.DeleteFunc(r.caches.RecordsNaming(id), func(rec *state.Record) bool {
		return rec.Identity(r.view.Lists) != id
	})
}

// decide observes a volume, decides what is to be done about it and remembers
// what has to be remembered. The poller does so beside a worker that may be
// writing the record.
func (r *Reconciler) decide(id string, polled bool) (o policy.Observation, d policy.Decision) {
	completed := r.completed()
	o = r.observe(id)
	o.Polled = polled
	if o.Record == nil {
		if name := r.tracker.waitsFor(id); name != "" {
			o.Holder = r.holder(name, id, o.Source)
			pv := r.caches.PV(name)
			o.NotWanted = pv != nil && pv.VolumeID != id
		}
	} else if o.PV != nil && o.PV.Name != o.Record.Name {
		o.NameTaken = r.nameTaken(id, o.PV)
	}
	r.tracker.update(id, o.Now, func(t policy.Memory, b *policy.Breaker) policy.Memory {
		if is := policy.Newest(t.Written, o.Record); is == o.Record {
			t.Written = nil // the cache has it, or knows better
		} else {
			o.Record = is
		}
		o.Recall(t, b)
		d = r.rules.Decide(o)
		r.backlog.note(id, o.Look, d.Standing, completed)
		return d.Memory
	})
	if o.Vouches() {
		r.view.Vouch(o.Source.Cluster, policy.VoucherOf(o.Record, o.Source.Cluster))
	}
	return o, d
}

// evaluate decides about a volume and leaves what is to be done to a worker. In
// steady state nothing is, and the queue stays empty.
func (r *Reconciler) evaluate(id string, cy *cycle) {
	o, d := r.decide(id, true)
	r.schedule(id, o, d)
	if d.Verdict != policy.Save && d.Verdict != policy.Verify {
		if !d.NextListing || o.Source.Presence != policy.Present {
			r.contents.Take(id) // nobody will ask for it
		}
		return
	}
	r.cycles.queued(cy, id)
	r.queue.Add(id)
}

// schedule does what every decision asks for, whoever made it: it speaks and sets
// the time of another look.
func (r *Reconciler) schedule(id string, o policy.Observation, d policy.Decision) {
	r.sayOf(id, d.Reports...)
	if d.After > 0 {
		r.queue.AddAfter(id, d.After)
	}
	if d.NextListing {
		r.recheck.add(id)
	}
	if d.Verdict == policy.Hold && o.Memory.Gauges.Held == "" && !o.Tripped {
		r.logger.Info("A deletion is held back", "volumeID", id, "record", o.Record.Name, "why", d.Why)
	}
}

// reconcile brings one record to what it should say.
func (r *Reconciler) reconcile(ctx context.Context, id string) error {
	kept := r.contents.Take(id)
	o, d := r.decideInTurn(id)
	if kept.Begun.Before(o.Source.ReadAt) {
		kept = source.Payload{} // a list that was asked for earlier shows something older
	}
	// What is written of a volume that is listed is compared with what there is, as what was not
	// answered may be stored until then. All else is for the record that was decided on.
	if u := d.Memory.Unanswered; u.Was != nil && (d.Verdict != policy.Save || o.Source.Presence != policy.Present) {
		if err := r.findOut(ctx, id, u); err != nil {
			r.contents.PutBack(id, kept)
			return r.failed(ctx, metrics.StageSave, err)
		}
		o, d = r.decideInTurn(id)
	}
	switch d.Verdict {
	case policy.Verify:
		return r.remove(ctx, id, o)
	case policy.Save:
		return r.save(ctx, id, o, d, kept)
	default:
		if d.NextListing {
			r.contents.PutBack(id, kept) // its turn is yet to come
		}
		return nil
	}
}

// decideInTurn decides for a worker. One of too many absences is marked in its turn.
func (r *Reconciler) decideInTurn(id string) (policy.Observation, policy.Decision) {
	o, d := r.decide(id, false)
	r.schedule(id, o, d)
	if o.MarksInMass(d) && !r.mayMark(id) {
		d.WithoutMark(&o)
	}
	return o, d
}

// reportCopies says of each record that describes a volume which an older
// record describes already that it is left alone.
func (r *Reconciler) reportCopies(id string, copies []*state.Record, quiet bool) {
	for _, c := range copies {
		if _, told := r.copies.LoadOrStore(c.UID, nil); told {
			continue
		}
		r.metrics.Error(metrics.StageSave)
		if quiet {
			continue
		}
		r.say(policy.OnRecord(c, corev1.EventTypeWarning, policy.EventNameConflict,
			fmt.Sprintf("an older record describes the volume %s: this one is left alone", id)))
	}
}
