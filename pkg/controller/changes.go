package controller

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// pvChanged follows from a change of a PersistentVolume.
func (r *Reconciler) pvChanged(old, obj *state.PV, unreadable bool) {
	if (old != nil && old.Unreadable || obj != nil && obj.Unreadable) && r.leading.Load() {
		r.tracker.setUnreadable(len(r.caches.Unreadable()))
		if unreadable {
			r.say(policy.OnPersistentVolume(obj, corev1.EventTypeWarning, EventInvalid, handleUnreadable))
		}
	}
	r.readEarly(old, obj)
	if old != nil && obj != nil && old.Same(obj) {
		return
	}
	for _, p := range []*state.PV{old, obj} {
		if p != nil {
			r.enqueue(p.IDs())
		}
	}
}

const handleUnreadable = "its volumeHandle cannot be read: it must be <namespace ID>/<volume ID> of StorageOS"

// recordChanged follows from a change of a record.
func (r *Reconciler) recordChanged(old, obj *state.Record) {
	if obj != nil {
		r.writer.Cached(obj)
	}
	if old != nil && (obj == nil || obj.UID != old.UID) { // another may have its name
		r.copies.Delete(old.UID)
	}
	if r.leading.Load() {
		r.metrics.SetRecords(r.caches.RecordCount())
	}
	r.tracker.recordChanged(old, obj)
	if obj != nil {
		r.tracker.cached(obj)
	}
	if old != nil && obj != nil && old.Same(obj) {
		return
	}
	if obj == nil && r.leading.Load() {
		r.deletedSoon(old) // before a worker makes it again
	}
	for _, rec := range []*state.Record{old, obj} {
		if rec != nil {
			r.enqueue(rec.IDs())
		}
	}
	if obj == nil && r.leading.Load() { // after it is enqueued, which puts it on the backlog
		for _, id := range old.IDs() {
			r.backlog.lost(id)
		}
	}
}

// enqueue hands IDs to the workers. Until one of them has decided, nobody knows whether the
// records are right. A standby has none: when it leads, the first complete
// listing compares every ID.
func (r *Reconciler) enqueue(ids []string) {
	if !r.leading.Load() {
		return
	}
	for _, id := range ids {
		r.backlog.note(id, r.backlog.look(), policy.Behind, r.completed())
		r.queue.Add(id)
	}
}
