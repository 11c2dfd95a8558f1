package controller

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// considerAll decides about many volumes at once. The breaker counts them all
// before the first is handed to a worker.
func (r *Reconciler) considerAll(ids []string) {
	for _, id := range ids {
		r.decide(id)
	}
	for _, id := range ids {
		r.consider(id, r.current)
	}
}

// everyID is the ID of every volume that StorageOS, a PersistentVolume or a
// record names.
func (r *Reconciler) everyID() []string {
	ids := slices.Concat(r.view.ids(), r.pvIndex.allIDs(), r.recordIndex.allIDs())
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (r *Reconciler) listingBegun(l *listing) {
	r.attempt.Store(l.begun.UnixNano())
	r.current = r.cycles.begin(l.begun)
}

func (r *Reconciler) volumeFound(id string) { r.consider(id, r.current) }

func (r *Reconciler) listingEnded(_ *listing, complete bool, changed []string) {
	if r.resyncDue(complete) {
		// Hashes are compared, no requests are made.
		changed = append(changed, r.everyID()...)
		r.resynced = time.Now()
	}
	r.considerAll(changed)
	if complete {
		r.view.settle()
		r.tracks.resetBreaker(time.Now())
	}
	for _, id := range r.waiting.take() {
		r.consider(id, r.current)
	}
	r.announce()
	r.publish()
	r.cycles.end(r.current, complete, time.Now())
	r.current = nil
}

// resyncDue tells whether every ID is to be compared: after the first complete
// listing, and then every so often.
func (r *Reconciler) resyncDue(complete bool) bool {
	if r.resynced.IsZero() {
		return complete
	}
	every := r.settings.ResyncInterval
	return every > 0 && time.Since(r.resynced) >= every
}

// announce says when deletions begin and cease to be held.
func (r *Reconciler) announce() {
	why := r.tracks.holding()
	was := r.holding
	r.holding = why
	switch {
	case was == "" && why != "":
		r.logger.Error(nil, "Deletions of records are held", "why", why)
		r.sayOnLease(corev1.EventTypeWarning, EventHeld, "deletions of records are held: "+why)
	case was != "" && why == "":
		r.logger.Info("Deletions of records are no longer held")
		r.sayOnLease(corev1.EventTypeNormal, EventResumed, "deletions of records are no longer held")
	}
}

func (r *Reconciler) sayOnLease(kind, reason, message string) {
	if r.lease != nil {
		r.say(event{r.lease, kind, reason, message})
	}
}

// publish sets the gauges that say what was listed.
func (r *Reconciler) publish() {
	for health, n := range r.view.byHealth() {
		r.metrics.SetVolumes(string(health), n)
	}
	r.metrics.SetRecords(int(r.counts.all.Load()))
}
