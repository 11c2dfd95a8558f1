package controller

import (
	"cmp"
	"slices"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// Concern is a volume that has lost its other half, whose record is held, or of which
// nothing can be made.
type Concern struct {
	Kind             string // one of metrics.Orphan..., or "held" or "invalid"
	VolumeID         string
	Record           string // "" if there is none
	PersistentVolume string // "" if there is none
	Why              string // of what is held or invalid
}

// ConcernHeld is the kind of a record whose deletion is held back, ConcernInvalid of what
// counts in storageos_volumes_invalid.
const (
	ConcernHeld    = "held"
	ConcernInvalid = "invalid"
)

// Concerns lists up to so many of them, and why deletions are held as a whole, ""
// if they are not. A process that does not lead has none.
func (r *Reconciler) Concerns(most int) (concerns []Concern, holding string) {
	if !r.leading.Load() {
		return nil, ""
	}
	r.tracker.mu.Lock()
	for id, t := range r.tracker.all {
		l := t.Gauges
		for kind, is := range map[string]bool{
			metrics.OrphanUnclaimed: l.Unclaimed, metrics.OrphanMissing: l.Missing, metrics.OrphanRecord: l.Orphan,
			ConcernHeld: l.Held != "", ConcernInvalid: l.Invalid || l.LeftAlone > 0,
		} {
			if is {
				concerns = append(concerns, Concern{Kind: kind, VolumeID: id, Why: l.Held})
			}
		}
	}
	r.tracker.mu.Unlock()
	for _, name := range r.caches.Unreadable() {
		concerns = append(concerns, Concern{Kind: ConcernInvalid, PersistentVolume: name, Why: handleUnreadable})
	}
	slices.SortFunc(concerns, func(a, b Concern) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.VolumeID, b.VolumeID), cmp.Compare(a.PersistentVolume, b.PersistentVolume))
	})
	concerns = concerns[:min(most, len(concerns))]
	for i := range concerns {
		c := &concerns[i]
		if c.VolumeID == "" {
			continue // a PersistentVolume that names none
		}
		if c.Kind != ConcernHeld {
			c.Why = ""
		}
		c.Record, c.PersistentVolume = r.namesOf(c.VolumeID)
		if c.Kind == ConcernInvalid {
			r.whyInvalid(c)
		}
	}
	return concerns, r.tracker.holding()
}

// whyInvalid says what cannot be made of a volume, or which record is left alone.
func (r *Reconciler) whyInvalid(c *Concern) {
	_, copies := state.ChooseRecord(r.recordsOf(c.VolumeID))
	switch why := r.view.Look(c.VolumeID).Invalid; {
	case why != "":
		c.Why = why
	case len(copies) > 0:
		c.Record, c.Why = copies[0].Name, "an older record describes the volume"
	default:
		c.Why = "Kubernetes refuses its record, or every name for it is taken"
		if name := r.tracker.waitsFor(c.VolumeID); name != "" {
			c.Why = "its record waits for the name " + name
		}
	}
}

// namesOf are what the caches know a volume by.
func (r *Reconciler) namesOf(id string) (recordName, pvName string) {
	if rec, _ := state.ChooseRecord(r.recordsOf(id)); rec != nil {
		recordName = rec.Name
	}
	if pv := r.caches.PVOf(id); pv != nil {
		pvName = pv.Name
	}
	return recordName, pvName
}
