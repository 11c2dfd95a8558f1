package controller

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/source"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/record"
)

// Listing is what is known of the listings of StorageOS, for whoever must know
// whether records can be believed.
type Listing struct {
	record.Heartbeat
	// Begun is when the last complete one had begun.
	Begun time.Time
	// Failing says why the last one was not complete, "" if it was.
	Failing string

	begunUp uptime // the last complete one
}

// uptime is for how long this process had run when something was so: a clock that somebody sets
// does not change the order of two of them. 0: it never was.
type uptime time.Duration

// Listing tells of the listings up to now. A process that does not lead knows
// nothing.
func (r *Reconciler) Listing() Listing {
	l := r.listed.Load()
	if l == nil || !r.leading.Load() {
		return Listing{}
	}
	is := *l
	// No record is left out of the time as of which all are right but those that these numbers
	// count, at the same moment.
	unwritten := r.failing.often()
	is.Unwritten = len(unwritten)
	held, invalid, kept := r.tracker.concerned(func(counts func(id string) bool) {
		right := r.backlog.oldest(is.begunUp, func(id string) bool { return unwritten[id] || counts(id) })
		if right != 0 {
			is.Recorded = is.Begun.Add(time.Duration(right - is.begunUp))
		}
	})
	is.Held, is.Invalid = held, invalid
	for _, id := range kept {
		if rec, _ := state.ChooseRecord(r.recordsOf(id)); rec != nil {
			is.Kept += record.SumOfOne(rec.UID.Text())
		}
	}
	return is
}

// completed is when the last complete listing had begun, 0 before the first has ended.
func (r *Reconciler) completed() uptime {
	if l := r.listed.Load(); l != nil {
		return l.begunUp
	}
	return 0
}

// listingNoted remembers how a listing has ended. Err is why it was not complete.
func (r *Reconciler) listingNoted(l *source.Listing, err error, now time.Time) {
	var is Listing
	if was := r.listed.Load(); was != nil {
		is = *was
	}
	if err == nil {
		is = Listing{
			Heartbeat: record.Heartbeat{Completed: now, Cluster: l.Cluster, Volumes: r.view.Count(), Records: r.caches.RecordSum(now)},
			Begun:     l.Begun, begunUp: max(uptime(l.Begun.Sub(r.made)), 1),
		}
	} else {
		is.Failing = source.OneLine(err)
	}
	r.listed.Store(&is)
}
