package policy

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// NameWait is that a volume waits for the name that its record should have: another
// record has it, and is about to go.
type NameWait struct {
	Name  string    // "" if it does not wait
	Since time.Time // when it was first seen to, or the holder was last held back
	until int       // the complete listing with which it ends; 0: the grace is not over
	Over  bool      // it takes another name
	OfPV  bool      // it is that of its PersistentVolume

	incomplete time.Time // since when listings are not; zero if the last one was
}

// NameHolder is the record that has the name.
type NameHolder struct {
	Leaving bool // it is terminating, or its volume is absent, or may be: the next listing tells
	Held    bool // too many are absent, so it has to stay
}

// waitListings is how many complete listings a volume waits for a name when the grace is
// over: time for the question and the deletion.
const waitListings = 2

// Waits tells whether a volume, as StorageOS shows it, goes on waiting for its name. When listings
// have not been complete for a grace it does not: nothing tells when the name will be free.
func (s *Rules) Waits(w NameWait, holder NameHolder, now time.Time, is Source) (NameWait, bool) {
	switch {
	case is.LastComplete:
		w.incomplete = time.Time{}
	case w.incomplete.IsZero():
		w.incomplete = now
	}
	switch {
	case !holder.Leaving:
		return w, false
	case holder.Held && is.LastComplete:
		w.Since, w.until = now, 0
	case now.Sub(w.Since) < s.OrphanGracePeriod:
	case !is.LastComplete:
		w.Over = now.Sub(w.incomplete) >= s.OrphanGracePeriod
	case w.until == 0:
		w.until = is.Listings + waitListings
	case is.Listings >= w.until:
		w.Over = true
	}
	return w, !w.Over
}

// decideName decides about the name of a record that is not there yet. True if its volume
// waits for it.
func (s *Rules) decideName(o *Observation, d *Decision) bool {
	d.Memory.without = "" // of a record that has gone
	w := o.Memory.Wait
	switch {
	case w.Name == "" || w.Over:
		return false
	case o.PV != nil && o.PV.Name != w.Name, o.PV == nil && (w.OfPV || o.NotWanted):
		return false // it should have another one by now
	}
	var waits bool
	if d.Memory.Wait, waits = s.Waits(w, o.Holder, o.Now, o.Source); waits {
		d.Memory.Gauges.Invalid, d.NextListing = true, true
	}
	return waits
}

// tellName tells a PersistentVolume that the record of its volume is called otherwise, and why.
// Without one nothing is waited for any more.
func (d *Decision) tellName(o *Observation) {
	t := &d.Memory
	waited := t.Wait
	t.Wait = NameWait{}
	if o.PV == nil {
		if waited.Over && !waited.OfPV {
			t.without = waited.Name // its PersistentVolume may come yet
		}
		return
	}
	why, told := "", state.UID{}
	switch {
	case o.PV.Name == o.Record.Name:
	case o.PV.Name == waited.Name, o.PV.Name == t.without:
		why, told = "when it was made, another record had the name", o.PV.UID
	case o.NameTaken:
		why, told = "another record has the name", o.PV.UID
	}
	if why != "" && t.nameTold != told && !o.Source.InitialSync {
		d.Reports = append(d.Reports, OnPersistentVolume(o.PV, corev1.EventTypeWarning, EventNameConflict,
			fmt.Sprintf("the record of its volume is called %s: %s %s", o.Record.Name, why, o.PV.Name)))
	}
	t.nameTold, t.without = told, ""
}
