package controller

import (
	"cmp"
	"slices"
	"time"

	v1 "github.com/storageos/volume-sync-controller/pkg/apis/storageos/v1"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Concern is a volume that is not healthy or has lost its other half, whose record is held,
// or of which nothing can be made.
type Concern struct {
	Kind                  string // a v1.Health, one of metrics.Orphan..., or "held" or "invalid"
	VolumeID              string
	Record                string // "" if there is none
	Version               string // the resource version of the record
	PersistentVolume      string // "" if there is none
	ClaimNamespace, Claim string // "" if none is known
	Why                   string
	Since                 time.Time // when it became so, as far as the record says; of a health, when it ceased to be Healthy
}

// ConcernHeld is the kind of a record whose deletion is held back, ConcernInvalid of what
// counts in storageos_volumes_invalid.
const (
	ConcernHeld    = "held"
	ConcernInvalid = "invalid"
)

// worstFirst is the order of concerns: first those by which data cannot be reached, last those
// that only take up space.
var worstFirst = []string{
	string(v1.HealthOffline), metrics.OrphanMissing, ConcernInvalid, string(v1.HealthDegraded), string(v1.HealthUnknown),
	ConcernHeld, metrics.OrphanRecord, metrics.OrphanUnclaimed,
}

// Concerns lists up to so many of them, the worst first and then by claim, and why deletions
// are held as a whole, "" if they are not. Of a kind of which not all have room there are those
// with the first IDs. A process that does not lead has none.
func (r *Reconciler) Concerns(most int) (concerns []Concern, holding string) {
	if !r.leading.Load() {
		return nil, ""
	}
	w := worst{most: most}
	for id, health := range r.view.Unwell() {
		w.add(Concern{Kind: string(health), VolumeID: id})
	}
	r.tracker.concerns(w.add)
	for _, name := range r.caches.Unreadable() {
		w.add(Concern{Kind: ConcernInvalid, PersistentVolume: name, Why: handleUnreadable})
	}
	concerns = w.take()
	for i := range concerns {
		if c := &concerns[i]; c.VolumeID != "" { // not a PersistentVolume that names none
			r.explain(c)
		}
	}
	slices.SortFunc(concerns, func(a, b Concern) int {
		return cmp.Or(cmp.Compare(slices.Index(worstFirst, a.Kind), slices.Index(worstFirst, b.Kind)),
			cmp.Compare(a.ClaimNamespace, b.ClaimNamespace), cmp.Compare(a.Claim, b.Claim), cmp.Compare(a.Record, b.Record),
			cmp.Compare(a.PersistentVolume, b.PersistentVolume), cmp.Compare(a.VolumeID, b.VolumeID))
	})
	return concerns, r.tracker.holding()
}

// concerns tells of what it counts, none of it explained. Tell runs under the lock.
func (t *tracker) concerns(tell func(Concern)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, m := range t.all {
		l := m.Gauges
		for _, c := range [...]struct {
			is   bool
			kind string
		}{
			{l.Unclaimed, metrics.OrphanUnclaimed}, {l.Missing, metrics.OrphanMissing}, {l.Orphan, metrics.OrphanRecord},
			{l.Held != "", ConcernHeld}, {l.Invalid || l.LeftAlone > 0, ConcernInvalid},
		} {
			if c.is {
				tell(Concern{Kind: c.kind, VolumeID: id, Why: l.Held})
			}
		}
	}
}

// Volumes counts the volumes that are listed by health. A process that does not lead knows
// none.
func (r *Reconciler) Volumes() map[v1.Health]int {
	if !r.leading.Load() {
		return nil
	}
	return r.view.ByHealth()
}

// explain says of a concern what the caches know: by which names it goes, why it is, and
// since when.
func (r *Reconciler) explain(c *Concern) {
	rec, copies := state.ChooseRecord(r.recordsOf(c.VolumeID))
	var summary state.Summary
	if rec != nil {
		summary = rec.Summary
		c.Record, c.Version = rec.Name, rec.ResourceVersion
		c.ClaimNamespace, c.Claim = summary.PV.ClaimNamespace.Value(), summary.PV.ClaimName
	}
	if pv := r.caches.PVOf(c.VolumeID); pv != nil {
		c.PersistentVolume = pv.Name
		c.ClaimNamespace, c.Claim = pv.ClaimNamespace.Value(), pv.ClaimName
	}
	absentSince, _ := summary.Mark.Since(time.Now())
	switch c.Kind {
	case ConcernInvalid:
		c.Why = r.whyInvalid(c, copies)
	case ConcernHeld:
		c.Since = absentSince
	case metrics.OrphanMissing:
		c.Why, c.Since = "StorageOS does not have the volume that the PersistentVolume refers to", absentSince
	case metrics.OrphanRecord:
		c.Why, c.Since = "the volume is proven gone, and its record is to be deleted", absentSince
		if !r.settings.DeleteOrphans {
			c.Why = "the volume is proven gone, and its record stays, as -delete-orphans=false"
		}
	case metrics.OrphanUnclaimed:
		c.Why = record.Unclaimed.Message
		if rec.SaysUnclaimed() {
			c.Since = rec.Became(v1.ConditionBound)
		}
	default:
		health := r.view.Look(c.VolumeID).Digest.Health.Value()
		c.Why = policy.WhyUnwell(health)
		if rec != nil && summary.Health.Value().Health == health.Health {
			c.Since = rec.Became(v1.ConditionHealthy)
		}
	}
}

// whyInvalid says what cannot be made of a volume, or which record is left alone, which it
// then names.
func (r *Reconciler) whyInvalid(c *Concern, copies []*state.Record) string {
	if why := r.view.Look(c.VolumeID).Invalid; why != "" {
		return why
	}
	if len(copies) > 0 {
		c.Record, c.Version = copies[0].Name, copies[0].ResourceVersion
		return "an older record describes the volume"
	}
	if name := r.tracker.waitsFor(c.VolumeID); name != "" {
		return "its record waits for the name " + name
	}
	return "Kubernetes refuses its record, or every name for it is taken"
}
