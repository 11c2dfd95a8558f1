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
// has to be asked for by ID.

// mostCompleted is how many records are handed to one listing to be completed: as many
// as there is room for between it and the workers (see maxContents).
const mostCompleted = 5000

// crdSettles is for how long a new CRD may not be in force yet, though it is there.
const crdSettles = time.Second

// crdLags is for how long API servers may not go by a new CRD yet. Something else that
// drops fields does so for ever: then one record is tried now and then.
const crdLags = 2 * time.Minute

// completion remembers whose records are to be completed.
type completion struct {
	most int // see mostCompleted

	mu     sync.Mutex
	wanted bool
	from   time.Time
	last   time.Time // when they were to be completed last
	trial  string    // the volume whose record shows what is kept, "" if none is tried

	ids []string // those that are left; the poller's own
	one bool     // one is to be tried; the poller's own

	tried time.Time // when one was; the poller's own
}

// want has all of them completed by the listings that begin from then on, or earlier if
// that was wanted before.
func (c *completion) want(from time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.wanted || from.Before(c.from) {
		c.wanted, c.from = true, from
	}
}

// due tells, once, that they are to be completed now.
func (c *completion) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := c.wanted && !now.Before(c.from)
	if due {
		c.wanted, c.last = false, now
	}
	return due
}

// try takes the record of a volume to show what is kept.
func (c *completion) try(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trial = id
}

// shown tells, once, whether that was the record of this volume.
func (c *completion) shown(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	is := c.trial == id
	if is {
		c.trial = ""
	}
	return is
}

// done is when they were to be completed last.
func (c *completion) done() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// crdRenewed follows from a CRD that has come to keep all that is written.
func (r *Reconciler) crdRenewed() {
	r.completion.want(time.Now().Add(min(crdSettles, r.settings.PollInterval/2)))
}

// complete lets the listing that begins complete records.
func (r *Reconciler) complete(now time.Time) {
	c := &r.completion
	if c.due(now) {
		c.ids = r.incomplete()
	}
	n := min(len(c.ids), max(0, c.most-r.queue.Len()))
	ids := c.ids[:n]
	if c.ids = c.ids[n:]; len(c.ids) == 0 {
		c.ids = nil
	}
	// Where the CRD cannot be looked at, or not every API server goes by it yet, one
	// record shows what is kept: see kept.
	try := c.one || r.crd.capability() == crdCurrent && !now.Before(r.soon(now, c.tried))
	if try && n == 0 && c.ids == nil {
		ids, c.tried = r.tracker.anySettled(), now
		for _, id := range ids {
			c.try(id)
		}
	}
	c.one = false
	r.tracker.unsettle(ids)
	for _, id := range r.view.DecodeAgain(ids) {
		r.queue.Add(id) // no listing shows it
	}
}

// leftToListing lets the next listing complete a record that was written and is told of as
// it was before: while API servers may not go by a new CRD yet, the watch of one may still
// drop what is stored. Its volume need not be asked for. Where no listing comes to its end
// nothing is left to the next: what Kubernetes tells is recorded all the same.
func (r *Reconciler) leftToListing(o *policy.Observation) bool {
	if !o.Source.LastComplete || o.Record == nil || o.Record.Summary.Complete() || o.Record.Said() != o.Memory.Before.Said || !r.crdLags(o.Now) {
		return false
	}
	r.completion.want(o.Now)
	return true
}

// crdLags tells whether API servers may not go by a new CRD yet.
func (r *Reconciler) crdLags(now time.Time) bool {
	return r.crd.capability() == crdCurrent && now.Sub(time.Unix(0, r.crd.since.Load())) < crdLags
}

// soon is when what was dropped may be written again that was written last at that time.
// While API servers may not go by a new CRD yet, it is now. Later it is something else that
// drops it, for ever.
func (r *Reconciler) soon(now, last time.Time) time.Time {
	if r.crdLags(now) {
		return now
	}
	return last.Add(policy.RefusedPause)
}

// incomplete are the IDs of the volumes whose records may lack what is kept now: those
// that do not say what was written, and those that the API server shows without what
// they say in its store.
func (r *Reconciler) incomplete() []string {
	ids := r.tracker.settled()
	for _, id := range r.caches.RecordIDs() {
		if rec, _ := state.ChooseRecord(r.recordsOf(id)); rec != nil && !rec.Summary.Complete() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// kept follows from a record that says what an older CRD drops or, if it was the one to
// show what is kept, all that was written.
func (r *Reconciler) kept(id string, is *state.Record, all bool) {
	shown := r.completion.shown(id) && all
	if shown || is.Summary.Complete() && r.tracker.pruned() > 0 {
		r.completion.want(r.soon(time.Now(), r.completion.done()))
	}
}

// pruned is how many records lack something that was dropped.
func (t *tracker) pruned() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts.pruned
}

// anySettled finds a record that does not say what was written: which part of that was
// dropped is not asked.
func (t *tracker) anySettled() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, tr := range t.all {
		if tr.Applied != (policy.Applied{}) {
			return []string{id}
		}
	}
	return nil
}

// settled are the IDs of all volumes whose records do not.
func (t *tracker) settled() (ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, tr := range t.all {
		if tr.Applied != (policy.Applied{}) {
			ids = append(ids, id)
		}
	}
	return ids
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
