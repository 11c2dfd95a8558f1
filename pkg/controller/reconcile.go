package controller

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// observe looks a volume up in the three local views.
func (r *Reconciler) observe(id string) observation {
	o := observation{now: time.Now(), sight: r.view.look(id), anyCluster: r.counts.named.Load() > 0}
	o.provisioned = time.Unix(0, r.provisioned.Load())
	o.pv = state.ChoosePV(r.pvIndex.of(id))
	o.aside = r.proofs.waits(id)
	o.older = r.crd.capability() == crdOlder
	var copies []*state.Record
	o.record, copies = state.ChooseRecord(r.recordsOf(id))
	o.leftAlone = len(copies)
	for _, c := range copies {
		if !c.Terminating && c.NamespaceID == o.record.NamespaceID {
			o.copies++
		}
	}
	r.reportCopies(id, copies, o.sight.settling)
	return o
}

// recordsOf are the records that describe a volume.
func (r *Reconciler) recordsOf(id string) []*state.Record {
	return slices.DeleteFunc(r.recordIndex.of(id), func(rec *state.Record) bool {
		return rec.Identity(r.view.lists) != id
	})
}

// cachedRecord is what the cache has of a record, nil if it has none.
func (r *Reconciler) cachedRecord(name string) *state.Record {
	if known, ok, _ := r.recordInformer.GetStore().GetByKey(name); ok {
		return known.(*state.Record)
	}
	return nil
}

// decide observes a volume, decides what is to be done about it and remembers
// what has to be remembered. The poller does so beside a worker that may be
// writing the record.
func (r *Reconciler) decide(id string, polled bool) (o observation, d decision) {
	o = r.observe(id)
	o.polled = polled
	if o.record == nil {
		if name := r.tracks.waitsFor(id); name != "" {
			o.holder = r.holder(name, id)
		}
	} else if o.pv != nil && o.pv.Name != o.record.Name {
		o.nameTaken = r.nameTaken(id, o.pv)
	}
	r.tracks.update(id, o.now, func(t track, b *breaker) track {
		if is := newest(t.written, o.record); is == o.record {
			t.written = nil // the cache has it, or knows better
		} else {
			o.record = is
		}
		o.heeds(t, b)
		d = r.settings.decide(o)
		return d.track
	})
	if o.sight.presence == present && o.record != nil && o.sight.agreed && !o.sight.vouched {
		r.view.vouch(o.sight.cluster)
	}
	return o, d
}

// heeds adds what is remembered of the volume, and what the breaker knows.
func (o *observation) heeds(t track, b *breaker) {
	o.track, o.tripped = t, b.why != ""
	if o.sight.presence == absent && o.sight.generation < t.returned {
		o.sight.presence = unknown // whoever was faster has seen it come back
	}
	o.deleting = o.record != nil && b.asked[o.record.UID] != nil
}

// consider decides about a volume and leaves what is to be done to a worker. In
// steady state nothing is, and the queue stays empty.
func (r *Reconciler) consider(id string, cy *cycle) {
	o, d := r.decide(id, true)
	r.follow(id, o, d)
	if d.verdict != save && d.verdict != ask {
		if !d.nextListing || o.sight.presence != present {
			r.contents.take(id) // nobody will ask for it
		}
		return
	}
	if cy != nil {
		r.cycles.queued(cy, id)
	}
	r.queue.Add(id)
}

// follow does what every decision asks for, whoever made it: it speaks and sets
// the time of another look.
func (r *Reconciler) follow(id string, o observation, d decision) {
	r.say(d.reports...)
	if d.after > 0 {
		r.queue.AddAfter(id, d.after)
	}
	if d.nextListing {
		r.waiting.add(id)
	}
	if d.verdict == hold && o.track.levels.held == "" && !o.tripped {
		r.logger.Info("A deletion is held back", "volumeID", id, "record", o.record.Name, "why", d.why)
	}
}

// reconcile brings one record to what it should say.
func (r *Reconciler) reconcile(ctx context.Context, id string) error {
	raw := r.contents.take(id)
	o, d := r.decideInTurn(id)
	// What is written of a volume that is listed is compared with what there is. All else is
	// for the record that was decided on.
	if u := d.track.unanswered; u.was != nil && (d.verdict != save || o.sight.presence != present) {
		if err := r.findOut(ctx, id, u); err != nil {
			r.contents.putBack(id, raw)
			return r.failed(ctx, metrics.StageSave, err)
		}
		o, d = r.decideInTurn(id)
	}
	switch d.verdict {
	case ask:
		return r.remove(ctx, id, o)
	case save:
		return r.save(ctx, id, o, d, raw)
	default:
		if d.nextListing {
			r.contents.putBack(id, raw) // its turn is yet to come
		}
		return nil
	}
}

// decideInTurn decides for a worker. One of too many absences is marked in its turn.
func (r *Reconciler) decideInTurn(id string) (observation, decision) {
	o, d := r.decide(id, false)
	r.follow(id, o, d)
	if o.marksInMass(d) && !r.mayMark(id) {
		d.withoutMark(&o)
	}
	return o, d
}

// marksInMass tells whether a save marks one of too many unexplained absences.
func (o *observation) marksInMass(d decision) bool {
	return d.verdict == save && o.tripped && d.track.levels.absence == unexplained && d.want.Mark != o.record.Summary.Mark
}

// withoutMark takes from a save the mark, which has to wait. What else has changed is
// written: what Kubernetes tells waits for nothing.
func (d *decision) withoutMark(o *observation) {
	has := o.record.Summary
	d.want.Mark, d.want.Present, d.want.Health = has.Mark, has.Present, has.Health
	d.verdict = keep
	d.compare(o)
}

// reportCopies says of each record that describes a volume which an older
// record describes already that it is left alone.
func (r *Reconciler) reportCopies(id string, copies []*state.Record, quiet bool) {
	for _, c := range copies {
		if !r.copies.first(string(c.UID)) {
			continue
		}
		r.metrics.Error(metrics.StageSave)
		if quiet {
			continue
		}
		r.say(onRecord(c, corev1.EventTypeWarning, EventNameConflict,
			fmt.Sprintf("an older record describes the volume %s: this one is left alone", id)))
	}
}
