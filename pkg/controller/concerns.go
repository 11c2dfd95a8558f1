package controller

import (
	"cmp"
	"slices"

	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// Concern is a volume that has lost its other half, or whose record is held.
type Concern struct {
	Kind             string // one of metrics.Orphan..., or "held"
	VolumeID         string
	Record           string // "" if there is none
	PersistentVolume string // "" if there is none
	Why              string // of what is held
}

// ConcernHeld is the kind of a record whose deletion is held back.
const ConcernHeld = "held"

// Concerns lists up to so many of them, and why deletions are held as a whole, ""
// if they are not. A process that does not lead has none.
func (r *Reconciler) Concerns(most int) (concerns []Concern, holding string) {
	if !r.leading.Load() {
		return nil, ""
	}
	r.tracks.mu.Lock()
	for id, t := range r.tracks.all {
		l := t.levels
		for kind, is := range map[string]bool{
			metrics.OrphanUnclaimed: l.unclaimed, metrics.OrphanMissing: l.missing, metrics.OrphanRecord: l.orphan, ConcernHeld: l.held != "",
		} {
			if is {
				concerns = append(concerns, Concern{Kind: kind, VolumeID: id, Why: l.held})
			}
		}
	}
	r.tracks.mu.Unlock()
	slices.SortFunc(concerns, func(a, b Concern) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.VolumeID, b.VolumeID))
	})
	concerns = concerns[:min(most, len(concerns))]
	for i := range concerns {
		c := &concerns[i]
		if c.Kind != ConcernHeld {
			c.Why = ""
		}
		c.Record, c.PersistentVolume = r.namesOf(c.VolumeID)
	}
	return concerns, r.tracks.holding()
}

// namesOf are what the caches know a volume by.
func (r *Reconciler) namesOf(id string) (recordName, pvName string) {
	if rec, _ := chooseRecord(r.recordsOf(id)); rec != nil {
		recordName = rec.name
	}
	if pv := choosePersistentVolume(r.pvIndex.of(id)); pv != nil {
		pvName = pv.name
	}
	return recordName, pvName
}
