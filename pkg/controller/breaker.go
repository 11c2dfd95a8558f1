package controller

import (
	"fmt"
	"slices"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// breaker counts the records whose volumes are absent without an explanation.
// Too many at once are more likely a fault of StorageOS, or of what lies before
// it, than the wish of somebody. Whoever has the tracks' lock may use it.
type breaker struct {
	settings   *Settings
	records    int                  // in the cache
	namespaces map[string]headcount // of StorageOS, by ID
	absent     int                  // unexplained, but for those whose deletion was asked for
	why        string               // it has tripped, "" if not

	// Unexplained deletions within the last hold, from the moment that Kubernetes was
	// asked for them, the oldest first.
	deletions []*deletion
	asked     map[state.UID]*deletion
}

// headcount counts the records of one StorageOS namespace.
type headcount struct {
	records     int // terminating ones do not count
	copies      int // of them: an older one describes the same volume
	explained   int // absent, and their PersistentVolumes say why
	unexplained int // absent
}

// deletion is one that nothing explained. It was asked for; whether it was done may not
// be known yet.
type deletion struct {
	at          time.Time
	uid         state.UID
	namespaceID string
	cached      bool // the record is still among those that are counted
}

// absence is how a record takes part in the count.
type absenceKind int

const (
	notAbsent absenceKind = iota
	explained
	unexplained
)

func newBreaker(s *Settings) breaker {
	return breaker{settings: s, namespaces: map[string]headcount{}, asked: map[state.UID]*deletion{}}
}

// recordChanged counts the records that there are.
func (b *breaker) recordChanged(old, obj *state.Record) {
	for _, r := range []struct {
		record *state.Record
		n      int
	}{{old, -1}, {obj, 1}} {
		if r.record == nil || r.record.Terminating || len(r.record.IDs()) == 0 {
			continue
		}
		b.records += r.n
		b.count(r.record.NamespaceID.Value(), func(h *headcount) { h.records += r.n })
		if d := b.asked[r.record.UID]; d != nil {
			d.cached = r.n > 0
		}
	}
}

// levelsChanged counts what is so of a volume now (n = 1) or no longer (-1).
func (b *breaker) levelsChanged(l levels, n int) {
	b.count(l.namespace, func(h *headcount) {
		h.copies += n * l.copies
		switch l.absence {
		case explained:
			h.explained += n
		case unexplained:
			h.unexplained += n
			b.absent += n
		}
	})
}

func (b *breaker) count(namespaceID string, change func(*headcount)) {
	h := b.namespaces[namespaceID]
	if change(&h); h == (headcount{}) {
		delete(b.namespaces, namespaceID)
	} else {
		b.namespaces[namespaceID] = h
	}
}

// deleting takes note that Kubernetes is asked for a deletion that nothing explains. Of
// one that is asked for again, because nobody knows what became of it, the last time
// counts.
func (b *breaker) deleting(now time.Time, r *state.Record) {
	was := b.asked[r.UID]
	b.notDeleted(r)
	d := &deletion{at: now, uid: r.UID, namespaceID: r.NamespaceID.Value(), cached: was == nil || was.cached}
	b.deletions, b.asked[r.UID] = append(b.deletions, d), d
}

// notDeleted takes note that Kubernetes has not done it.
func (b *breaker) notDeleted(r *state.Record) {
	if d := b.asked[r.UID]; d != nil {
		b.deletions = slices.DeleteFunc(b.deletions, func(other *deletion) bool { return other == d })
		delete(b.asked, r.UID)
	}
}

// trip trips it if there are too many absences. It ends only by reset.
func (b *breaker) trip(now time.Time) {
	if b.why == "" && b.absent > 0 {
		b.why = b.settings.trips(b.census(now))
	}
}

// reset lets it go if there are not too many absences any more. It is asked
// after a complete listing: between two counts of one deletion they could seem
// fewer than they are.
func (b *breaker) reset(now time.Time) {
	b.why = b.settings.trips(b.census(now))
}

// tripsBy tells whether these absences alone, so many of each namespace, would trip it.
func (b *breaker) tripsBy(absent map[string]int) bool {
	c := census{records: b.records, namespaces: make(map[string]headcount, len(b.namespaces))}
	for id, h := range b.namespaces {
		h.unexplained = absent[id]
		c.absent += h.unexplained
		c.namespaces[id] = h
	}
	return b.settings.trips(c) != ""
}

// census is what the breaker judges by.
type census struct {
	records    int // that there are
	absent     int // of them, unexplained
	deleted    int // unexplained, within the last hold
	namespaces map[string]headcount
	deletedIn  map[string]int // of deleted, by namespace
	cachedIn   map[string]int // of those, how many are among the records still
}

func (b *breaker) census(now time.Time) census {
	for len(b.deletions) > 0 && now.Sub(b.deletions[0].at) >= b.settings.MassOrphanHold {
		delete(b.asked, b.deletions[0].uid)
		b.deletions = b.deletions[1:]
	}
	c := census{
		records: b.records, absent: b.absent, deleted: len(b.deletions),
		namespaces: b.namespaces, deletedIn: map[string]int{}, cachedIn: map[string]int{},
	}
	for _, d := range b.deletions {
		c.deletedIn[d.namespaceID]++
		if d.cached {
			c.records--
			c.cachedIn[d.namespaceID]++
		}
	}
	return c
}

// trips tells why deletions that nothing explains are to be held, "" if they
// are not: too many of all records, or all of a namespace. It is a pure
// function.
func (s *Settings) trips(c census) string {
	lost, all := c.absent+c.deleted, c.records+c.deleted
	if lost > s.MaxOrphanCount && lost*100 > s.MaxOrphanPercent*all {
		return fmt.Sprintf("%d of %d records have lost their volumes and nothing explains it", lost, all)
	}
	for id, h := range c.namespaces {
		// Those whose absence is explained do not count at all, nor do those that
		// nobody deletes.
		lost, all := h.unexplained+c.deletedIn[id], h.records-c.cachedIn[id]-h.copies-h.explained+c.deletedIn[id]
		if id != "" && h.unexplained > 0 && lost >= all && lost > s.MaxOrphanCount {
			return fmt.Sprintf("all %d records of the StorageOS namespace %s have lost their volumes and nothing explains it", all, id)
		}
	}
	return ""
}
