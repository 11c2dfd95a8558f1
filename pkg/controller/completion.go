package controller

import (
	"slices"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// On an older CRD, what was added since is dropped, and what a record lacks for that is
// not written again. When the CRD has come to keep it, the records are completed out of
// the listings: their volumes are decoded again, as if they had changed, so that nothing
// has to be asked for by ID. Where the CRD cannot be looked at, or something else drops
// what is written, a few records are tried at each resync: if more of one is kept than before,
// so is of the others. Where it was seen to keep everything, and records lack something, it may
// have been another for a moment that nobody saw: they are tried at once, then less and less often.

// mostCompleted is how many records are handed to one listing to be completed: as many
// as there is room for between it and the workers (see source.MaxPayloads).
const mostCompleted = 5000

// mostTried is how many records are tried at each resync: something may drop what is written
// to most of them for ever. While the CRD seems to keep everything, one is tried sooner.
const (
	mostTried = 100
	fewTried  = 1

	longestTrialPause = 10 * time.Minute
)

// completion remembers whose records are to be completed.
type completion struct {
	most int      // see mostCompleted
	ids  []string // those that are left; the poller's own
	some bool     // some are to be tried; the poller's own

	trial time.Time     // when one is to be tried, though no resync is due; the poller's own
	pause time.Duration // before that, 0 if none lacks anything; the poller's own

	mu    sync.Mutex
	from  time.Time           // when all are to be completed, zero if they are not
	tried map[string]struct{} // the volumes whose records show what is kept
}

// want has all of them completed by the listings that begin from then on, or earlier if
// that was wanted before.
func (c *completion) want(from time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from.IsZero() || from.Before(c.from) {
		c.from = from
	}
}

// due tells, once, that they are to be completed now.
func (c *completion) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := !c.from.IsZero() && !now.Before(c.from)
	if due {
		c.from = time.Time{}
	}
	return due
}

// mayKeep tells whether it is time to try one: so many lack what the CRD seems to keep.
func (c *completion) mayKeep(now time.Time, lack int, first time.Duration) bool {
	switch {
	case lack == 0:
		c.pause = 0
	case c.pause == 0:
		c.pause, c.trial = first, now.Add(first)
	case !now.Before(c.trial):
		c.pause = min(2*c.pause, longestTrialPause)
		c.trial = now.Add(c.pause)
		return true
	}
	return false
}

// try takes the records of volumes to show what is kept.
func (c *completion) try(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried = make(map[string]struct{}, len(ids))
	for _, id := range ids {
		c.tried[id] = struct{}{}
	}
}

// wrote takes note of whether anything was kept that was written to a record.
func (c *completion) wrote(id string, kept bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, tried := c.tried[id]; tried && kept {
		c.from, c.tried = time.Now(), nil
	}
}

// crdRenewed follows from a CRD that has come to keep all that is written. API servers go by
// it a little later than it says so.
func (r *Reconciler) crdRenewed() {
	r.completion.want(time.Now().Add(r.settings.PollInterval / 2))
}

// completeRecords lets the listing that begins complete records.
func (r *Reconciler) completeRecords(now time.Time) {
	c := &r.completion
	if c.due(now) {
		c.ids = r.incomplete()
	}
	n := min(len(c.ids), max(0, c.most-r.queue.Len()))
	ids := c.ids[:n]
	if c.ids = c.ids[n:]; len(c.ids) == 0 {
		c.ids = nil
	}
	r.decodeAgain(ids)
	if c.some {
		c.some = false
		r.try(r.tracker.settled(func(a policy.Applied) bool { return a != policy.Applied{} }), mostTried)
	} else if r.crd.capability() == crdCurrent && c.mayKeep(now, r.tracker.pruned(), r.settings.PollInterval) {
		r.try(r.tracker.settled(policy.Applied.Pruned), fewTried)
	}
}

// try has some of the records of volumes written again, to show what is kept.
func (r *Reconciler) try(ids []string, most int) {
	ids = slices.DeleteFunc(ids, r.terminating)
	ids = ids[:min(len(ids), most)]
	r.completion.try(ids)
	r.decodeAgain(ids)
}

// decodeAgain lets the records of volumes be written again, out of the listing that begins.
func (r *Reconciler) decodeAgain(ids []string) {
	r.tracker.unsettle(ids)
	for _, id := range r.view.DecodeAgain(ids) {
		r.queue.Add(id) // no listing shows it
	}
}

// terminating tells whether the record of a volume is: it is not written.
func (r *Reconciler) terminating(id string) bool {
	rec, _ := state.ChooseRecord(r.recordsOf(id))
	return rec == nil || rec.Terminating
}

// incomplete are the IDs of the volumes whose records may lack what is kept now: those
// that do not say what was written, and those that the API server shows without what
// they say in its store.
func (r *Reconciler) incomplete() []string {
	ids := r.tracker.settled(func(a policy.Applied) bool { return a != policy.Applied{} })
	for _, id := range r.caches.RecordIDs() {
		if rec, _ := state.ChooseRecord(r.recordsOf(id)); rec != nil && !rec.Summary.Complete() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// settled are the IDs of the volumes whose records do not say what was written, in such a way.
func (t *tracker) settled(is func(policy.Applied) bool) (ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, tr := range t.all {
		if is(tr.Applied) {
			ids = append(ids, id)
		}
	}
	return ids
}

// pruned is how many records lack what was written to them and is new in the CRD.
func (t *tracker) pruned() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts.pruned
}

// unsettle lets records be written again.
func (t *tracker) unsettle(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, id := range ids {
		tr := t.all[id]
		tr.Applied = policy.Applied{}
		t.set(id, now, tr)
	}
}
