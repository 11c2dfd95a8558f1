package controller

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// nameWait is that a volume waits for the name that its record should have: another
// record has it, and is about to go.
type nameWait struct {
	name  string    // "" if it does not wait
	since time.Time // when it was first seen to, or the holder was last held back
	until int       // the complete listing with which it ends; 0: the grace is not over
	over  bool      // it takes another name
}

// nameHolder is the record that has the name.
type nameHolder struct {
	leaving bool // it is terminating, or its volume is absent
	held    bool // too many are absent, so it has to stay
}

// waitListings is how many complete listings a volume waits for a name when the grace is
// over: time for the question and the deletion.
const waitListings = 2

// waits tells whether a volume goes on waiting for its name, after so many complete
// listings.
func (s *Settings) waits(w nameWait, holder nameHolder, now time.Time, listings int) (nameWait, bool) {
	switch {
	case !holder.leaving:
		return w, false
	case holder.held:
		w.since, w.until = now, 0
	case now.Sub(w.since) < s.OrphanGracePeriod:
	case w.until == 0:
		w.until = listings + waitListings
	case listings >= w.until:
		w.over = true
	}
	return w, !w.over
}

// decideName decides about the name of a record that is not there yet. True if its volume
// waits for it.
func (s *Settings) decideName(o *observation, d *decision) bool {
	w := o.track.wait
	if w.name == "" || w.over || o.pv != nil && o.pv.Name != w.name {
		return false
	}
	var waits bool
	if d.track.wait, waits = s.waits(w, o.holder, o.now, o.sight.listings); waits {
		d.track.levels.invalid, d.nextListing = true, true
	}
	return waits
}

// tellName tells a PersistentVolume that the record of its volume had to be called
// otherwise.
func (d *decision) tellName(o *observation) {
	t := &d.track
	had := o.pv.Name != o.record.Name && (o.nameTaken || t.wait.name == o.pv.Name)
	if had && !t.nameTold && !o.sight.settling {
		d.reports = append(d.reports, onPersistentVolume(o.pv, corev1.EventTypeWarning, EventNameConflict,
			fmt.Sprintf("the record of its volume is called %s: when it was made, another record had the name %s", o.record.Name, o.pv.Name)))
	}
	t.nameTold, t.wait = had, nameWait{}
}

// holder is who has a name that the record of a volume should have.
func (r *Reconciler) holder(name, id string) nameHolder {
	known, ok, _ := r.recordInformer.GetStore().GetByKey(name)
	if !ok {
		return nameHolder{}
	}
	return r.holds(known.(*state.Record), id)
}

func (r *Reconciler) holds(rec *state.Record, id string) nameHolder {
	owner := rec.Identity(r.view.lists)
	if owner == id {
		return nameHolder{leaving: rec.Terminating}
	}
	absent := owner != "" && r.view.look(owner).presence == absent
	return nameHolder{leaving: rec.Terminating || absent, held: absent && r.tracks.heldInMass(owner)}
}

// nameTaken tells whether another volume's record has the name of a PersistentVolume.
func (r *Reconciler) nameTaken(id string, pv *state.PV) bool {
	known, ok, _ := r.recordInformer.GetStore().GetByKey(pv.Name)
	return ok && known.(*state.Record).Identity(r.view.lists) != id
}

// othersPersistentVolume tells whether a PersistentVolume of that name belongs to another
// volume.
func (r *Reconciler) othersPersistentVolume(name, id string) bool {
	known, ok, _ := r.pvInformer.GetStore().GetByKey(name)
	return ok && known.(*state.PV).VolumeID != id
}

// awaitName remembers that a volume waits for a name, and keeps what was listed of it.
func (r *Reconciler) awaitName(id string, w *write, o observation, raw []byte) {
	waits := false
	r.tracks.update(id, o.now, func(t track, _ *breaker) track {
		if t.wait.name != w.awaits {
			t.wait = nameWait{name: w.awaits, since: o.now}
		}
		t.wait, waits = r.settings.waits(t.wait, w.holder, o.now, o.sight.listings)
		t.levels.invalid = true
		return t
	})
	r.contents.putBack(id, raw)
	if waits {
		r.waiting.add(id)
	} else {
		r.queue.Add(id)
	}
}

// waitsFor is the name that the record of a volume waits for, "" if it does not.
func (t *tracks) waitsFor(id string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[id].wait.name
}

// heldInMass tells whether the record of a volume stays because too many are absent, and
// may go when the hold is over. What else keeps it may do so for ever.
func (t *tracks) heldInMass(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.all[id].levels
	if l.held != "" || l.orphan {
		return l.held == heldMass
	}
	return t.breaker.why != "" && l.absence == unexplained
}
