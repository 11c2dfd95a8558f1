package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// Breaker counts the records whose volumes are absent without an explanation.
// Too many at once are more likely a fault of StorageOS, or of what lies before
// it, than the wish of somebody. Whoever has the tracker's lock may use it.
type Breaker struct {
	rules      *Rules
	records    int                       // in the cache
	Namespaces map[string]NamespaceCount // of StorageOS, by ID
	absent     int                       // unexplained, but for those whose deletion was asked for
	Why        string                    // it has tripped, "" if not

	// Unexplained deletions within the last hold, from the moment that Kubernetes was
	// asked for them, the oldest first.
	Deletions []*deletion
	Requested map[state.UID]*deletion
}

// NamespaceCount counts the records of one StorageOS namespace.
type NamespaceCount struct {
	Records     int // terminating ones do not count
	duplicates  int // of them: an older one describes the same volume
	explained   int // absent, and their PersistentVolumes say why
	Unexplained int // absent
}

// deletion is one that nothing explained. It was asked for; whether it was done may not
// be known yet.
type deletion struct {
	at          time.Time
	uid         state.UID
	namespaceID string
	cached      bool   // the record is still among those that are counted
	countedIn   string // the namespace of StorageOS that it counts in there: that which it names
}

// AbsenceKind is how a record takes part in the count of absent ones.
type AbsenceKind int

// The kinds of absence.
const (
	NotAbsent   AbsenceKind = iota // its volume is listed, or nothing is known of it
	Explained                      // its PersistentVolume has gone or is going too
	Unexplained                    // nothing but the listing says that it is gone
)

// NewBreaker makes a breaker that has counted nothing.
func NewBreaker(s *Rules) Breaker {
	return Breaker{rules: s, Namespaces: map[string]NamespaceCount{}, Requested: map[state.UID]*deletion{}}
}

// RecordChanged counts the records that there are.
func (b *Breaker) RecordChanged(old, obj *state.Record) {
	for _, r := range []struct {
		record *state.Record
		n      int
	}{{old, -1}, {obj, 1}} {
		if r.record == nil || r.record.Terminating || len(r.record.IDs()) == 0 {
			continue
		}
		b.records += r.n
		b.count(r.record.NamespaceID.Value(), func(h *NamespaceCount) { h.Records += r.n })
		if d := b.Requested[r.record.UID]; d != nil {
			d.cached = r.n > 0
		}
	}
}

// Count counts what is so of a volume now (n = 1) or no longer (-1).
func (b *Breaker) Count(l BreakerInput, n int) {
	b.count(l.Namespace, func(h *NamespaceCount) {
		h.duplicates += n * l.Duplicates
		if l.Unnamed {
			h.Records += n * (1 + l.Duplicates) // which none of them says yet
		}
		switch l.Absence {
		case Explained:
			h.explained += n
		case Unexplained:
			h.Unexplained += n
			b.absent += n
		}
	})
}

func (b *Breaker) count(namespaceID string, change func(*NamespaceCount)) {
	h := b.Namespaces[namespaceID]
	if change(&h); h == (NamespaceCount{}) {
		delete(b.Namespaces, namespaceID)
	} else {
		b.Namespaces[namespaceID] = h
	}
}

// Deleting takes note that Kubernetes is asked for a deletion that nothing explains. Of
// one that is asked for again, because nobody knows what became of it, the last time
// counts. The namespace is that in which its volume was.
func (b *Breaker) Deleting(now time.Time, r *state.Record, namespaceID string) {
	was := b.Requested[r.UID]
	if was != nil && namespaceID == "" {
		namespaceID = was.namespaceID
	}
	b.NotDeleted(r)
	d := &deletion{at: now, uid: r.UID, namespaceID: namespaceID, countedIn: r.NamespaceID.Value(), cached: was == nil || was.cached}
	b.Deletions, b.Requested[r.UID] = append(b.Deletions, d), d
}

// NotDeleted takes note that Kubernetes has not done it.
func (b *Breaker) NotDeleted(r *state.Record) {
	if d := b.Requested[r.UID]; d != nil {
		b.Deletions = slices.DeleteFunc(b.Deletions, func(other *deletion) bool { return other == d })
		delete(b.Requested, r.UID)
	}
}

// Trip trips it if there are too many absences. Only Reset lets it go.
func (b *Breaker) Trip(now time.Time) {
	if b.Why == "" && b.absent > 0 {
		b.Why = b.rules.trips(b.Snapshot(now))
	}
}

// Reset judges anew, and lets it go if there are not too many absences any more. It is asked
// after a complete listing alone: a deletion is counted twice, by the watch and by the answer to
// it, and between the two there seem to be fewer than there are.
func (b *Breaker) Reset(now time.Time) {
	b.Why = b.rules.trips(b.Snapshot(now))
}

// Snapshot is what the breaker judges by.
type Snapshot struct {
	Records    int // that there are
	Absent     int // of them, unexplained
	Deleted    int // unexplained, within the last hold
	Namespaces map[string]NamespaceCount
	DeletedIn  map[string]int // of deleted, by namespace
	CachedIn   map[string]int // of those, how many are among the records still
}

// Snapshot is what is counted now. It forgets deletions that are older than the hold.
func (b *Breaker) Snapshot(now time.Time) Snapshot {
	for len(b.Deletions) > 0 && now.Sub(b.Deletions[0].at) >= b.rules.MassOrphanHold {
		delete(b.Requested, b.Deletions[0].uid)
		b.Deletions = b.Deletions[1:]
	}
	c := Snapshot{
		Records: b.records, Absent: b.absent, Deleted: len(b.Deletions),
		Namespaces: b.Namespaces, DeletedIn: map[string]int{}, CachedIn: map[string]int{},
	}
	for _, d := range b.Deletions {
		c.DeletedIn[d.namespaceID]++
		if d.cached {
			c.Records--
			c.CachedIn[d.countedIn]++
		}
	}
	return c
}

// trips tells why deletions that nothing explains are to be held, "" if they
// are not: too many of all records, or all of a namespace. It is a pure
// function.
func (s *Rules) trips(c Snapshot) string {
	lost, all := c.Absent+c.Deleted, c.Records+c.Deleted
	if lost > s.MaxOrphanCount && lost*100 > s.MaxOrphanPercent*all {
		return fmt.Sprintf("%d of %d records have lost their volumes and nothing explains it", lost, all)
	}
	for id, h := range c.Namespaces {
		// Those whose absence is explained do not count at all, nor do those that
		// nobody deletes.
		lost, all := h.Unexplained+c.DeletedIn[id], h.Records-c.CachedIn[id]-h.duplicates-h.explained+c.DeletedIn[id]
		if id != "" && h.Unexplained > 0 && lost >= all && lost > s.MaxOrphanCount {
			return fmt.Sprintf("all %d records of the StorageOS namespace %s have lost their volumes and nothing explains it", all, id)
		}
	}
	return ""
}
