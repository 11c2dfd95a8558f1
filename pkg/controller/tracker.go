package controller

import (
	"cmp"
	"sync"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/metrics"
)

// tracker holds the memory of each volume that has one, and counts what the gauges say of them.
type tracker struct {
	mu      sync.Mutex
	all     map[string]policy.Memory
	counts  struct{ unclaimed, missing, orphan, pruned, invalid, unreadable int }
	held    map[string]int // by why
	breaker policy.Breaker
	rules   *policy.Rules
	metrics *metrics.Metrics
}

func newTracker(s *policy.Rules, m *metrics.Metrics) *tracker {
	return &tracker{all: map[string]policy.Memory{}, held: map[string]int{}, breaker: policy.NewBreaker(s), rules: s, metrics: m}
}

// update changes the memory of a volume. Fn runs under the lock: it must be
// quick and must not call back. It is told what the breaker knows.
func (t *tracker) update(id string, now time.Time, fn func(old policy.Memory, b *policy.Breaker) policy.Memory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(id, now, fn(t.all[id], &t.breaker))
}

// set stores a memory. The caller holds the lock.
func (t *tracker) set(id string, now time.Time, next policy.Memory) {
	old := t.all[id]
	switch next {
	case old: // as nearly always
		return
	case policy.Memory{}:
		delete(t.all, id)
	default:
		t.all[id] = next
	}
	count(&t.counts.pruned, old.Applied.Pruned(), next.Applied.Pruned())
	if next.Gauges == old.Gauges {
		return
	}
	count(&t.counts.unclaimed, old.Gauges.Unclaimed, next.Gauges.Unclaimed)
	count(&t.counts.missing, old.Gauges.Missing, next.Gauges.Missing)
	count(&t.counts.orphan, old.Gauges.Orphan, next.Gauges.Orphan)
	count(&t.counts.invalid, old.Gauges.Invalid, next.Gauges.Invalid)
	t.counts.invalid += next.Gauges.LeftAlone - old.Gauges.LeftAlone
	if old.Gauges.Held != next.Gauges.Held {
		t.hold(old.Gauges.Held, -1)
		t.hold(next.Gauges.Held, 1)
	}
	if old.Gauges.BreakerInput != next.Gauges.BreakerInput {
		t.breaker.Count(old.Gauges.BreakerInput, -1)
		t.breaker.Count(next.Gauges.BreakerInput, 1)
		t.breaker.Trip(now)
	}
	t.publish()
}

func (t *tracker) hold(why string, n int) {
	if why == "" {
		return
	}
	if t.held[why] += n; t.held[why] == 0 {
		delete(t.held, why)
	}
}

// deleting takes note that Kubernetes is asked to delete the record of a volume: from
// now on an unexplained one counts as deleted, whatever the caches say.
// It tells whether that was asked for the first time.
func (t *tracker) deleting(id string, rec *state.Record, kind policy.AbsenceKind, now time.Time) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first = t.breaker.Requested[rec.UID] == nil
	if kind == policy.Explained {
		return first
	}
	tr := t.all[id]
	t.breaker.Deleting(now, rec, cmp.Or(rec.NamespaceID.Value(), tr.Gauges.Namespace))
	if tr.Gauges.Absence == policy.Unexplained {
		tr.Gauges.Absence = policy.NotAbsent
		tr.Gauges.Namespace, tr.Gauges.Unnamed = rec.NamespaceID.Value(), false
		t.set(id, now, tr)
	}
	return first
}

// notDeleted takes note that it was not done.
func (t *tracker) notDeleted(rec *state.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaker.NotDeleted(rec)
}

// deleted takes note that it was.
func (t *tracker) deleted(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tr := t.all[id]
	tr.Gauges = policy.Gauges{Missing: tr.Gauges.Missing}
	t.set(id, now, tr)
}

// namesNamespace tells whether a record names a namespace of StorageOS.
func (t *tracker) namesNamespace(namespaceID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.breaker.Namespaces[namespaceID].Records > 0
}

// recordChanged counts the records.
func (t *tracker) recordChanged(old, obj *state.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaker.RecordChanged(old, obj)
}

// cached forgets what was written to a record when the cache has it: nobody may decide
// about its volume for long.
func (t *tracker) cached(rec *state.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range rec.IDs() {
		if tr := t.all[id]; tr.Written != nil && policy.Newest(tr.Written, rec) == rec {
			tr.Written = nil
			t.set(id, time.Now(), tr)
		}
	}
}

// doubtWritten has all that is read which was written and which the cache has not told of. It
// may never do so: a store that was restored from a backup does not have it. It returns
// the IDs.
func (t *tracker) doubtWritten(now time.Time) (ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, tr := range t.all {
		if tr.Written != nil && tr.Unanswered.Was == nil {
			tr.Unanswered.Was = tr.Written
			t.set(id, now, tr)
			ids = append(ids, id)
		}
	}
	return ids
}

// resetBreaker looks, after a complete listing, whether the breaker may go.
func (t *tracker) resetBreaker(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.breaker.Reset(now)
}

// holding tells why deletions of more than single records are held, "" if they
// are not: another cluster answers, or too many are absent.
func (t *tracker) holding() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.breaker.Why == "":
	case t.held[policy.HeldMass] > 0:
		return t.breaker.Why
	case t.held[policy.HeldNotVouched] > 0:
		return policy.HeldNotVouched // which no time ends
	}
	for _, why := range []string{policy.HeldOtherCluster, policy.HeldNoCluster} {
		if t.held[why] > 0 {
			return why
		}
	}
	return t.breaker.Why
}

// notWatched tells whether records are held because they were not watched for long
// enough.
func (t *tracker) notWatched() bool { return t.holds(policy.HeldNotWatched) }

// holds tells whether records are held for that reason.
func (t *tracker) holds(why string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held[why] > 0
}

// publish sets the gauges. The caller holds the lock.
func (t *tracker) publish() {
	t.metrics.SetOrphans(metrics.OrphanUnclaimed, t.counts.unclaimed)
	t.metrics.SetOrphans(metrics.OrphanMissing, t.counts.missing)
	t.metrics.SetOrphans(metrics.OrphanRecord, t.counts.orphan)
	held, invalid := t.sums()
	t.metrics.SetHeld(held)
	t.metrics.SetInvalid(invalid)
}

// sums are how many records the rules of deletion hold back, and how much cannot be
// recorded. The caller holds the lock.
func (t *tracker) sums() (held, invalid int) {
	for _, n := range t.held {
		held += n
	}
	return held, t.counts.invalid + t.counts.unreadable
}

// concerned is the same for whoever does not hold it, and which volumes are proven gone and keep
// their records. With is told under the lock whether a volume counts in one of these. It must not
// call back.
func (t *tracker) concerned(with func(counts func(id string) bool)) (held, invalid int, kept []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	with(func(id string) bool {
		g := t.all[id].Gauges
		return g.Held != "" || g.Invalid || t.keeps(g)
	})
	if t.counts.orphan > 0 && !t.rules.DeleteOrphans {
		for id, m := range t.all {
			if t.keeps(m.Gauges) {
				kept = append(kept, id)
			}
		}
	}
	held, invalid = t.sums()
	return held, invalid, kept
}

// keeps tells whether a volume is proven gone and its record stays, as deletions are switched off.
func (t *tracker) keeps(g policy.Gauges) bool { return g.Orphan && !t.rules.DeleteOrphans }

// setUnreadable says how many PersistentVolumes have a handle that cannot be read.
func (t *tracker) setUnreadable(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.unreadable = n
	t.publish()
}

func count(n *int, was, is bool) {
	switch {
	case is && !was:
		*n++
	case was && !is:
		*n--
	}
}
