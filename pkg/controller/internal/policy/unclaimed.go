package policy

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What is decided about a volume and a PersistentVolume without each other.

// watchReferred takes note since when no PersistentVolume refers to a volume, whether or
// not that is listed: if a listing begun since then shows it, it has outlived the last
// one. A new leader looks before its first listing begins.
func (d *Decision) watchReferred(o *Observation) {
	t := &d.Memory
	switch {
	case o.PV != nil:
		t.unreferenced = Onset{claimed: o.Record.SaysUnclaimed()}
	case t.unreferenced.at.IsZero() && (o.Record != nil || o.Source.Presence == Present):
		said := o.Record.SaysUnclaimed() && !t.unreferenced.claimed // said of the time before that
		t.unreferenced = Onset{at: o.Now, unlisted: true, pending: o.Record == nil, said: said}
	}
	if t.unreferenced.unlisted && o.Source.Presence == Present {
		t.unreferenced.unlisted, t.unreferenced.quiet = false, o.Source.InitialSync
	}
}

// longestPending is for how long at most the event of a new volume without a
// PersistentVolume waits while those of others come: until then, of 18,000 claims that
// were made at once the last has its own.
const longestPending = time.Hour

// decideUnreferenced: no PersistentVolume refers to a volume that is there.
func (s *Rules) decideUnreferenced(o *Observation, d *Decision) {
	t := &d.Memory
	d.Want.Bound = state.BoundNone

	// The last PersistentVolume stays in the record until a listing begun after it went has
	// shown that the volume outlived it. From then on it explains nothing, though it may not
	// be possible to write that.
	if o.Source.Seen.Before(t.unreferenced.at) {
		d.NextListing = true
	} else {
		t.unreferenced.outlived = true
		d.Want.PV = state.PVSummary{}
	}

	due := t.unreferenced.at.Add(s.OrphanGracePeriod)
	switch {
	case t.unreferenced.said:
	case o.Now.Before(due):
		d.later(due.Sub(o.Now))
		return
	case o.Source.Seen.Before(due):
		d.NextListing = true
		return
	}
	t.Gauges.Unclaimed = true
	d.Want.Bound = state.BoundUnclaimed
	if o.Record == nil || t.unreferenced.said || t.unreferenced.quiet {
		return
	}
	// By default csi-provisioner makes five requests a second, and some for each
	// claim: the last of many claims that are made at once waits for minutes. While
	// PersistentVolumes go on coming, so may the one of a new volume, but not for ever.
	left := min(o.Provisioned.Add(s.OrphanGracePeriod).Sub(o.Now), t.unreferenced.at.Add(longestPending).Sub(o.Now))
	if t.unreferenced.pending && left > 0 {
		d.later(left)
		return
	}
	t.unreferenced.said = true
	d.Reports = append(d.Reports, OnRecord(o.Record, corev1.EventTypeWarning, EventUnclaimed,
		state.BoundUnclaimed.Value().Message))
}

// decideMissing: a PersistentVolume refers to a volume that is not there.
func (s *Rules) decideMissing(o *Observation, d *Decision) {
	t := &d.Memory
	if o.PV == nil || o.PV.Deletes() {
		t.missing = Onset{}
		return
	}
	if t.missing.at.IsZero() {
		t.missing = Onset{at: o.Now, quiet: o.Source.InitialSync}
	}
	due := t.missing.at.Add(s.OrphanGracePeriod)
	switch {
	case o.Now.Before(due):
		d.later(due.Sub(o.Now))
		return
	case !o.Source.CompleteBegun.After(t.missing.at) && !o.Memory.Gauges.Missing:
		d.NextListing = true
		return
	}
	t.Gauges.Missing = true
	switch {
	case t.missing.said || t.missing.quiet:
	case o.Tripped:
		d.NextListing = true // not one event for each of so many
	default:
		t.missing.said = true
		d.Reports = append(d.Reports, OnPersistentVolume(o.PV, corev1.EventTypeWarning, EventMissing,
			"StorageOS does not have the volume of the PersistentVolume "+o.PV.Name))
	}
}
