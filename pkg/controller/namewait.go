package controller

import (
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// holder is who has a name that the record of a volume should have, which is as StorageOS shows it.
func (r *Reconciler) holder(name, id string, is policy.Source) policy.NameHolder {
	rec := r.caches.Record(name)
	if rec == nil {
		return policy.NameHolder{}
	}
	return r.holds(rec, id, is)
}

func (r *Reconciler) holds(rec *state.Record, id string, is policy.Source) policy.NameHolder {
	owner := rec.Identity(r.view.Lists)
	if owner == id {
		return policy.NameHolder{Leaving: rec.Terminating}
	}
	was := r.view.Look(owner)
	absent := owner != "" && was.Presence == policy.Absent
	// A volume that was read early may have been made anew, under a name that was another's, and so may
	// be what was read early before that: the next listing tells.
	undecided := is.LastComplete && owner != "" && (was.Presence == policy.Unknown || was.Presence == policy.Present && was.Seen.Before(is.ReadAt))
	return policy.NameHolder{Leaving: rec.Terminating || absent || undecided, Held: absent && r.tracker.heldInMass(owner)}
}

// nameTaken tells whether another volume's record has the name of a PersistentVolume.
func (r *Reconciler) nameTaken(id string, pv *state.PV) bool {
	rec := r.caches.Record(pv.Name)
	return rec != nil && rec.Identity(r.view.Lists) != id
}

// awaitName remembers that a volume waits for a name, and keeps what was listed of it.
func (r *Reconciler) awaitName(id, name string, holder policy.NameHolder, o policy.Observation, kept source.Payload) {
	waits := false
	r.tracker.update(id, o.Now, func(t policy.Memory, _ *policy.Breaker) policy.Memory {
		if t.Wait.Name != name {
			t.Wait = policy.NameWait{Name: name, Since: o.Now}
		}
		t.Wait.OfPV = o.PV != nil && o.PV.Name == name
		t.Wait, waits = r.rules.Waits(t.Wait, holder, o.Now, o.Source)
		t.Gauges.Invalid = true
		return t
	})
	r.contents.PutBack(id, kept)
	if waits {
		r.recheck.add(id)
	} else {
		r.queue.Add(id)
	}
}

// waitsFor is the name that the record of a volume waits for, "" if it does not.
func (t *tracker) waitsFor(id string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[id].Wait.Name
}

// heldInMass tells whether the record of a volume stays because too many are absent, and
// may go when the hold is over. What else keeps it may do so for ever.
func (t *tracker) heldInMass(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.all[id].Gauges
	if l.Held != "" || l.Orphan {
		return l.Held == policy.HeldMass
	}
	return t.breaker.Why != "" && l.Absence == policy.Unexplained
}
