package controller

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
)

// evaluateAll decides about many volumes at once. The breaker counts them all
// before anything is said or handed to a worker.
func (r *Reconciler) evaluateAll(ids []string) {
	for _, id := range ids {
		r.count(id)
	}
	for _, id := range ids {
		r.evaluate(id, r.current)
	}
}

// count lets the breaker know of a volume that is absent, or is no longer.
func (r *Reconciler) count(id string) {
	o := r.observe(id)
	r.tracker.update(id, o.Now, func(t policy.Memory, b *policy.Breaker) policy.Memory {
		o.Recall(t, b)
		t.Gauges.BreakerInput = r.rules.Decide(o).Memory.Gauges.BreakerInput
		return t
	})
}

// everyID is the ID of every volume that StorageOS, a PersistentVolume or a
// record names.
func (r *Reconciler) everyID() []string {
	ids := slices.Concat(r.view.IDs(), r.caches.PVIDs(), r.caches.RecordIDs())
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (r *Reconciler) alive(until time.Time) { r.attempt.Store(until.UnixNano()) }

// moved takes note of a movement. It does not shorten a pause: nodes may be answered
// in it.
func (r *Reconciler) moved(now time.Time) {
	was := r.attempt.Load()
	if was < now.UnixNano() {
		r.attempt.CompareAndSwap(was, now.UnixNano()) // or another has moved just now
	}
}

func (r *Reconciler) listingBegun(l *source.Listing) {
	r.alive(l.Begun)
	r.early.listingBegun()
	r.current = r.cycles.begin(l.Begun)
	r.completeRecords(l.Begun)
}

func (r *Reconciler) volumeFound(id string) {
	for _, id := range r.related(id) {
		r.evaluate(id, r.current)
	}
}

// related returns IDs, and those that their records name as well: whose a record
// is whose label and status differ depends on what StorageOS lists.
func (r *Reconciler) related(ids ...string) []string {
	all := ids
	for _, id := range ids {
		for _, rec := range r.caches.RecordsNaming(id) {
			for _, other := range rec.IDs() {
				if other != id {
					all = append(all, other)
				}
			}
		}
	}
	return all
}

func (r *Reconciler) listingEnded(l *source.Listing, complete bool, changed []string) {
	changed = r.related(changed...)
	resync, whole, named := r.resyncDue(), complete && r.completeAnew(l), r.namedAnew(l)
	if resync || whole || named {
		// Hashes are compared, no requests are made.
		for _, id := range r.tracker.doubtWritten(time.Now()) {
			r.queue.Add(id)
		}
		changed = append(changed, r.everyID()...)
		r.completion.some = resync && r.crd.capability() != crdOlder
	}
	r.writer.Bound()
	r.evaluateAll(changed)
	first := complete && r.view.InitialSync()
	r.view.Compared(l, complete)
	if complete {
		r.tracker.resetBreaker(time.Now())
	}
	for _, id := range r.recheck.take() {
		r.evaluate(id, r.current)
	}
	r.announce(first)
	r.publish()
	r.cycles.end(r.current, complete, time.Now())
	r.current = nil
}

// resyncDue tells whether every ID is to be compared, as it is every so often, whether or
// not a listing is complete.
func (r *Reconciler) resyncDue() bool {
	every := r.settings.ResyncInterval
	due := every > 0 && time.Since(r.resynced) >= every
	if due {
		r.resynced = time.Now()
	}
	return due
}

// completeAnew tells whether a complete listing is the first of a cluster that did not answer
// the last one.
func (r *Reconciler) completeAnew(l *source.Listing) bool {
	anew := l.Span != r.compared
	r.compared = l.Span
	return anew
}

// namedAnew tells whether a listing, complete or not, is the first to tell that another cluster answers, or what
// it is called: records that name none may come to name it.
func (r *Reconciler) namedAnew(l *source.Listing) bool {
	if l.Span == 0 || l.Cluster == "" || l.Span == r.named {
		return false
	}
	r.named = l.Span
	return true
}

// compareCaches compares every record with its PersistentVolume. What Kubernetes tells
// is true whatever StorageOS says, and whoever led before may have missed some of it.
func (r *Reconciler) compareCaches() {
	for _, id := range r.everyID() {
		r.evaluate(id, nil)
	}
	r.resynced = time.Now()
}

// announce says when deletions begin and cease to be held. What holds them when the first
// complete listing has ended was so when this process began, and so was the cluster that
// answers if no other has: there is no event for that.
func (r *Reconciler) announce(first bool) {
	why := r.tracker.holding()
	was := r.holding
	if why == "" && was != "" && r.tracker.notWatched() {
		why = was // the same records are held, for what follows from it
	}
	r.holding = why
	switch { // somebody has to say whose they are: once, whatever else is held besides or a listing fails
	case why == "":
		r.unvouched = false
	case !r.unvouched && r.tracker.holds(policy.HeldNotVouched):
		r.unvouched = true
		if was == "" && why == policy.HeldNotVouched {
			break // that is said below
		}
		r.sayOnLease(corev1.EventTypeWarning, policy.EventHeld, "deletions of records are held: "+policy.HeldNotVouched)
	}
	switch {
	case was == "" && why != "":
		r.logger.Error(nil, "Deletions of records are held", "why", why)
		if first || r.view.Span() == 1 && ofCluster(why) {
			return
		}
		r.sayOnLease(corev1.EventTypeWarning, policy.EventHeld, "deletions of records are held: "+why)
	case was != "" && why != "" && !sameHold(was, why):
		r.logger.Error(nil, "Deletions of records are held for another reason", "why", why)
	case was != "" && why == "":
		r.logger.Info("Deletions of records are no longer held")
		r.sayOnLease(corev1.EventTypeNormal, policy.EventResumed, "deletions of records are no longer held")
	}
}

// sameHold tells whether two reasons are one with other numbers.
func sameHold(a, b string) bool {
	other := func(why string) bool { return ofCluster(why) || why == policy.HeldNotVouched }
	return a == b || !other(a) && !other(b)
}

// ofCluster tells whether a reason is which cluster answers.
func ofCluster(why string) bool { return why == policy.HeldOtherCluster || why == policy.HeldNoCluster }

func (r *Reconciler) sayOnLease(kind, reason, message string) {
	if r.lease != nil {
		r.say(policy.Event{On: r.lease, Kind: kind, Reason: reason, Message: message})
	}
}

// publish sets the gauges that say what was listed.
func (r *Reconciler) publish() {
	for health, n := range r.view.ByHealth() {
		r.metrics.SetVolumes(string(health), n)
	}
	r.metrics.SetRecords(r.caches.RecordCount())
}
