package policy

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// NameWait is that a volume waits for the name that its record should have: another
// record has it, and is about to go.
type NameWait struct {
	Name  string    // "" if it does not wait
	Since time.Time // when it was first seen to, or the holder was last held back
	until int       // the complete listing with which it ends; 0: the grace is not over
	Over  bool      // it takes another name
}

// NameHolder is the record that has the name.
type NameHolder struct {
	Leaving bool // it is terminating, or its volume is absent, or may be: the next listing tells
	Held    bool // too many are absent, so it has to stay
}

// waitListings is how many complete listings a volume waits for a name when the grace is
// over: time for the question and the deletion.
const waitListings = 2

// Waits tells whether a volume goes on waiting for its name, after so many complete
// listings.
func (s *Rules) Waits(w NameWait, holder NameHolder, now time.Time, listings int) (NameWait, bool) {
	switch {
	case !holder.Leaving:
		return w, false
	case holder.Held:
		w.Since, w.until = now, 0
	case now.Sub(w.Since) < s.OrphanGracePeriod:
	case w.until == 0:
		w.until = listings + waitListings
	case listings >= w.until:
		w.Over = true
	}
	return w, !w.Over
}

// decideName decides about the name of a record that is not there yet. True if its volume
// waits for it.
func (s *Rules) decideName(o *Observation, d *Decision) bool {
	w := o.Memory.Wait
	if w.Name == "" || w.Over || o.PV != nil && o.PV.Name != w.Name {
		return false
	}
	var waits bool
	if d.Memory.Wait, waits = s.Waits(w, o.Holder, o.Now, o.Source.Listings); waits {
		d.Memory.Gauges.Invalid, d.NextListing = true, true
	}
	return waits
}

// tellName tells a PersistentVolume that the record of its volume had to be called
// otherwise.
func (d *Decision) tellName(o *Observation) {
	t := &d.Memory
	had := o.PV.Name != o.Record.Name && (o.NameTaken || t.Wait.Name == o.PV.Name)
	if had && !t.nameTold && !o.Source.InitialSync {
		d.Reports = append(d.Reports, OnPersistentVolume(o.PV, corev1.EventTypeWarning, EventNameConflict,
			fmt.Sprintf("the record of its volume is called %s: when it was made, another record had the name %s", o.Record.Name, o.PV.Name)))
	}
	t.nameTold, t.Wait = had, NameWait{}
}
