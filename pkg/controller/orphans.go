package controller

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// What is decided about a volume and a PersistentVolume without each other.

// watchReferred takes note since when no PersistentVolume refers to a volume, whether or
// not that is listed: if a listing begun since then shows it, it has outlived the last
// one. A new leader looks before its first listing begins.
func (d *decision) watchReferred(o *observation) {
	t := &d.track
	switch {
	case o.pv != nil:
		t.unreferenced = since{claimed: o.record.SaysUnclaimed()}
	case t.unreferenced.at.IsZero() && (o.record != nil || o.sight.presence == present):
		said := o.record.SaysUnclaimed() && !t.unreferenced.claimed // said of the time before that
		t.unreferenced = since{at: o.now, unlisted: true, pending: o.record == nil, said: said}
	}
	if t.unreferenced.unlisted && o.sight.presence == present {
		t.unreferenced.unlisted, t.unreferenced.quiet = false, o.sight.settling
	}
}

// longestPending is for how long at most the event of a new volume without a
// PersistentVolume waits while those of others come: until then, of 18,000 claims that
// were made at once the last has its own.
const longestPending = time.Hour

// decideUnreferenced: no PersistentVolume refers to a volume that is there.
func (s *Settings) decideUnreferenced(o *observation, d *decision) {
	t := &d.track
	d.want.Bound = state.BoundNone

	// The last PersistentVolume stays in the record until a listing begun after it went has
	// shown that the volume outlived it. From then on it explains nothing, though it may not
	// be possible to write that.
	if o.sight.seen.Before(t.unreferenced.at) {
		d.nextListing = true
	} else {
		t.unreferenced.outlived = true
		d.want.PV = state.PVSummary{}
	}

	due := t.unreferenced.at.Add(s.OrphanGracePeriod)
	switch {
	case t.unreferenced.said:
	case o.now.Before(due):
		d.later(due.Sub(o.now))
		return
	case o.sight.seen.Before(due):
		d.nextListing = true
		return
	}
	t.levels.unclaimed = true
	d.want.Bound = state.BoundUnclaimed
	if o.record == nil || t.unreferenced.said || t.unreferenced.quiet {
		return
	}
	// By default csi-provisioner makes five requests a second, and some for each
	// claim: the last of many claims that are made at once waits for minutes. While
	// PersistentVolumes go on coming, so may the one of a new volume, but not for ever.
	left := min(o.provisioned.Add(s.OrphanGracePeriod).Sub(o.now), t.unreferenced.at.Add(longestPending).Sub(o.now))
	if t.unreferenced.pending && left > 0 {
		d.later(left)
		return
	}
	t.unreferenced.said = true
	d.reports = append(d.reports, onRecord(o.record, corev1.EventTypeWarning, EventUnclaimed,
		state.BoundUnclaimed.Value().Message))
}

// decideMissing: a PersistentVolume refers to a volume that is not there.
func (s *Settings) decideMissing(o *observation, d *decision) {
	t := &d.track
	if o.pv == nil || o.pv.Deletes() {
		t.missing = since{}
		return
	}
	if t.missing.at.IsZero() {
		t.missing = since{at: o.now, quiet: o.sight.settling}
	}
	due := t.missing.at.Add(s.OrphanGracePeriod)
	switch {
	case o.now.Before(due):
		d.later(due.Sub(o.now))
		return
	case !o.sight.completeBegun.After(t.missing.at) && !o.track.levels.missing:
		d.nextListing = true
		return
	}
	t.levels.missing = true
	switch {
	case t.missing.said || t.missing.quiet:
	case o.tripped:
		d.nextListing = true // not one event for each of so many
	default:
		t.missing.said = true
		d.reports = append(d.reports, onPersistentVolume(o.pv, corev1.EventTypeWarning, EventMissing,
			"StorageOS does not have the volume that this PersistentVolume refers to"))
	}
}
