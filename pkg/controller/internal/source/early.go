package source

import (
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/policy"
	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
)

// early is what a volume that was read by its ID has shown of itself. It stands before what
// lists show of it until one is read that was begun later:
//
//	the volume is          the list was begun     what counts
//	shown by a list        before the read        the read
//	shown by a list        after it               the list
//	not shown              before the read        the read
//	not shown, incomplete  after it               the read: only a complete listing shows absence
//	not shown, complete    after it               the listing: the volume is absent, or, if no
//	                                              list had shown it before, unknown: then
//	                                              the next complete listing tells
//
// Lists are compared with lists all the same: what they have shown is below it, unchanged.
type early struct {
	begun       time.Time // when the volume was asked for
	namespaceID string
	state.Digest
	of *Listing // the last complete one before: the same cluster has answered
}

// readable is the last complete listing if volumes may be read one by one between listings,
// nil if not: none is before the first complete listing, after one that was not, or while
// another cluster answers.
func (v *View) readable() *Listing {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.undisputed()
}

func (v *View) undisputed() *Listing {
	if !v.lastComplete || v.syncedIn == 0 || v.syncedIn != v.clock.Span {
		return nil
	}
	return v.complete
}

// readEarly takes what a volume that was read by its ID has shown of itself, at a time, by
// the cluster of a complete listing. False if it tells nothing new: a later answer counts, or
// nobody knows where the volume belongs. New is also of which cluster a volume is that a list
// has shown first, of a listing that goes on: its record need not wait for the end of that.
func (v *View) readEarly(id string, is early) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	of := v.undisputed()
	if of == nil || of.Cluster != is.of.Cluster {
		return false
	}
	was, listed := v.early[id], v.volumes[id]
	_, ambiguous := v.ambiguous[id]
	switch {
	case ambiguous, was != nil && was.begun.After(is.begun):
		return false
	case listed == nil && (of.Begun.After(is.begun) || len(v.volumes)+len(v.early) >= v.most):
		return false
	case listed != nil && (listed.rev.ns.id != is.namespaceID || listed.rev.begun.After(is.begun)):
		return false
	case listed != nil && listed.invalid.Value() != "":
		return false // it is for the lists to say that it is not any more
	}
	is.of = of
	v.early[id] = &is
	v.generation++
	return was == nil && (listed == nil || listed.lastVerified() == nil) || v.digest(id, was) != is.Digest
}

// ListedContent is the content that a list has shown of a volume last or, if none has, that it
// has shown when it was read; 0 if it was not.
func (v *View) ListedContent(id string) uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if is := v.volumes[id]; is != nil {
		return is.Content
	}
	if e := v.early[id]; e != nil {
		return e.Content
	}
	return 0
}

// digest is what was known of a volume before it was read.
func (v *View) digest(id string, was *early) state.Digest {
	if was != nil {
		return was.Digest
	}
	return v.volumes[id].Digest
}

// look is what it shows.
func (e *early) look(v *View, s *policy.Source) {
	s.Presence, s.NamespaceID, s.Digest = policy.Present, e.namespaceID, e.Digest
	s.Seen, s.ReadAt = e.begun, e.begun
	synced, known := v.seen[e.namespaceID]
	s.InitialSync = known && !synced // a namespace that no listing has shown is new
}

// overtaken gives up what was read before a list was asked for that has shown it, and
// returns the IDs. The caller holds the lock.
func (v *View) overtaken(r *ListDiff) (ids []string) {
	for id, e := range v.early {
		if is := v.volumes[id]; is != nil && is.rev.ns == r.ns && is.rev.shown == r.l && e.begun.Before(r.begun) {
			delete(v.early, id)
			ids = append(ids, id)
		}
	}
	return ids
}

// outdated gives up what was read before a complete listing was begun, and returns the IDs.
// Of a volume that only the read has shown nobody may have decided yet. If it were absent now,
// the time would count for which it was so before: it is unknown until the next listing. The
// caller holds the lock, and has not yet forgotten what the listing did not show.
func (v *View) outdated(l *Listing) (ids []string) {
	for id, e := range v.early {
		if e.begun.Before(l.Begun) {
			delete(v.early, id)
			ids = append(ids, id)
			if v.volumes[id] == nil {
				v.unknown[id] = l.Begun
			}
		}
	}
	return ids
}
