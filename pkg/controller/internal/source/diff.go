package source

import (
	"slices"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// ListDiff is the list of one namespace while it is read into the view. Where
// that finds the list unchanged, or a volume in it, nothing is done for it.
type ListDiff struct {
	view       *View
	l          *Listing
	ns         *namespaceState
	asked      storageos.Fingerprint // of the list that need not be looked into; zero if every list is
	rev        *revision             // nil until the list is known to be another than before
	old        []*listed             // what the list showed before
	at         int                   // how much of old was passed, in its order
	lost       int                   // consecutive entries that were not found near their old position
	byRaw      map[uint64]*listed    // old by hash, once the order has turned out to be another
	fresh      []*listed             // what the view did not have before
	later      map[string]uint64     // hashes of what it shows and the next listing decodes, by ID
	duplicates bool                  // it shows a volume that belongs to another list
}

// Finding is what a listing shows of a volume, against what the view has.
type Finding int

const (
	unchanged  Finding = iota // nothing to do
	changed                   // new or other content: decode it and store it
	duplicated                // shown before in this listing, with other content
)

// Read begins to read the list of a namespace.
func (v *View) Read(l *Listing, namespaceID string) *ListDiff {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.states[namespaceID]
	if s == nil {
		s = &namespaceState{id: namespaceID}
		v.states[namespaceID] = s
	}
	return &ListDiff{view: v, l: l, ns: s}
}

// known is the fingerprint of the list that need not be looked into. While an ID
// may be in two lists, every list is: each place that it is in counts.
func (r *ListDiff) known() storageos.Fingerprint {
	r.view.mu.RLock()
	defer r.view.mu.RUnlock()
	if r.ns.rev != nil && len(r.view.ambiguous) == 0 {
		r.asked = r.ns.rev.fingerprint
	}
	return r.asked
}

// start begins to look into a list that is another than before. The caller holds
// the lock.
func (r *ListDiff) start() {
	if r.rev != nil {
		return
	}
	s := r.ns
	r.rev, r.old = &revision{ns: s, shown: r.l}, s.order
	s.stale = append(s.stale, s.order...)
	s.rev, s.order = r.rev, make([]*listed, 0, len(s.order))
}

// Close ends it. Whole says that the list was read to its end.
func (r *ListDiff) Close(is storageos.Fingerprint, whole bool) {
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	r.ns.fresh = append(r.ns.fresh, r.fresh...)
	if whole {
		r.ns.whole, r.ns.fresh = r.l, nil
	}
	switch {
	case !whole:
		// What it has shown is there; of the rest nothing is known.
	case r.rev == nil && r.asked == is && is != (storageos.Fingerprint{}):
		r.ns.rev.shown = r.l // and nothing was handed over
	default:
		r.start() // it may be empty
		if !r.duplicates {
			r.rev.fingerprint = is
		}
	}
	// What the list shows still is in its order.
	r.ns.stale = slices.DeleteFunc(r.ns.stale, func(e *listed) bool {
		return e.rev == nil || e.rev == r.rev || e.rev.ns != r.ns
	})
	if len(r.ns.stale) == 0 {
		r.ns.stale = nil // it was as long as the list
	}
}

// recognise takes note that the list shows a volume as it did before. False if it
// does not, or if more has to be known: then its ID must be read and shown.
func (r *ListDiff) recognise(raw uint64) bool {
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	r.start()
	e := r.before(raw)
	if e == nil || e.raw != raw || e.other != nil || e.rev == nil || e.rev.ns != r.ns {
		return false
	}
	r.point(e)
	return true
}

// mostLost is how many consecutive entries may not be found near their old position. Above
// that the list is taken to be in another order, and an index by hash is built.
const mostLost = 3

// before finds what the list showed before with that hash. It looks for it in the order
// of then, further ahead after some that have changed, come or gone.
func (r *ListDiff) before(raw uint64) *listed {
	if r.byRaw == nil {
		for i := r.at; i < min(r.at+2+2*r.lost, len(r.old)); i++ {
			if r.old[i].raw == raw {
				r.at, r.lost = i+1, 0
				return r.old[i]
			}
		}
		if r.lost++; r.lost <= mostLost {
			return nil // maybe it is there: its ID will tell
		}
		r.byRaw = make(map[uint64]*listed, len(r.old))
		for _, e := range r.old {
			r.byRaw[e.raw] = e
		}
	}
	return r.byRaw[raw]
}

// point says that this list shows a volume. The caller holds the lock.
func (r *ListDiff) point(e *listed) {
	if e.rev != r.rev {
		e.verified = e.lastVerified()
		if e.rev != nil {
			e.rev.fingerprint = storageos.Fingerprint{}
		}
		e.rev = r.rev
		r.ns.order = append(r.ns.order, e)
	}
}

// Show takes note that the list shows a volume.
func (r *ListDiff) Show(id string, raw uint64) Finding {
	v := r.view
	v.mu.Lock()
	defer v.mu.Unlock()
	r.start()
	e, ok := v.volumes[id]
	switch {
	case !ok:
		return changed
	case e.rev == r.rev && (e.raw == raw || r.later[id] == raw):
		return unchanged
	case e.rev.shown == r.l:
		r.duplicate(e)
		return duplicated
	case e.other != nil && (e.invalid == invalidTwice || e.rev.ns != r.ns):
		// It was listed twice before, or elsewhere: what counts is whether this
		// listing does so again, which only its end tells.
		if e.rev.ns != r.ns {
			e.other = e.rev
		}
		e.raw = 0
		if r.later == nil {
			r.later = map[string]uint64{}
		}
		r.later[id] = raw
		r.point(e)
		return unchanged
	case e.raw == raw && e.rev.ns == r.ns:
		r.point(e)
		return unchanged
	default:
		return changed
	}
}

// Store takes what the list shows of a new or changed volume. It reports false if
// another namespace, listed at the same time, has shown the ID since show was
// asked.
func (r *ListDiff) Store(id string, raw uint64, d state.Digest, invalid string) bool {
	v := r.view
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.volumes[id]
	switch {
	case !ok:
		e = &listed{ID: v.known.Text(id)}
		v.volumes[e.ID] = e
		r.fresh = append(r.fresh, e)
		v.generation++
	case e.rev != r.rev && e.rev.shown == r.l:
		r.duplicate(e)
		return false
	case e.rev.ns != r.ns:
		e.other = e.rev
		v.ambiguous[id] = true
	}
	v.change(e, func() {
		e.Digest, e.raw, e.invalid = d, raw, state.Intern(invalid)
		r.point(e)
	})
	return true
}

// ListedTwice is why such a volume cannot be recorded.
const ListedTwice = "StorageOS lists its ID twice with different content"

var invalidTwice = state.Intern(ListedTwice)

// duplicate takes note that a volume that was shown in this listing is shown again.
// The caller holds the lock.
func (r *ListDiff) duplicate(e *listed) {
	if e.rev != r.rev {
		r.ns.order = append(r.ns.order, e)
	}
	r.duplicates = true
	r.view.change(e, func() { e.other, e.invalid = r.rev, invalidTwice })
	if _, ok := r.view.ambiguous[e.ID]; !ok {
		r.view.ambiguous[e.ID] = false
	}
}

// begin says that a listing is under way.
func (v *View) begin(l *Listing) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.current = l
}

// End takes the end of a listing. After a complete one, what it did not show is
// gone. After another, it is kept as far as it was listed: what is known is bounded by
// what StorageOS has. It returns the IDs of which more is known now, or less: those that
// have gone, that have moved, and that are no longer listed twice; and how many have
// turned out to be listed twice.
func (v *View) End(l *Listing, complete bool) (changed []string, twice int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.current, v.whole = nil, complete
	v.generation++
	if complete {
		v.complete = l
		v.listings++
		v.clock.Completed(l.Begun, l.ended, l.Cluster)
	}
	changed, twice = v.resolve(l, complete)
	for _, s := range v.states {
		if s.rev != nil && s.rev.shown == l && l.Verified {
			s.rev.verified = l
		}
		if complete {
			changed = append(changed, v.gone(s, l)...)
		}
	}
	if !complete {
		changed = append(changed, v.forget(l)...)
	}
	for id, since := range v.unknown {
		_, listed := v.volumes[id]
		switch {
		case listed:
			delete(v.unknown, id)
		case complete && since.Before(l.Begun):
			delete(v.unknown, id)
			changed = append(changed, id)
		case !v.known.Cares(id): // any more
			delete(v.unknown, id)
			if since.After(v.forgot) {
				v.forgot = since
			}
		}
	}
	slices.Sort(changed)
	return slices.Compact(changed), twice
}

// resolve looks at the IDs that may be in two lists. One of the two that was read to its end
// and did not show the ID, or whose namespace is gone, is enough to know better, whatever
// others do. The caller holds the lock.
func (v *View) resolve(l *Listing, complete bool) (changed []string, twice int) {
	for id, moved := range v.ambiguous {
		e := v.volumes[id]
		if moved {
			v.ambiguous[id] = false
			changed = append(changed, id)
		}
		switch both := e.rev.shown == l && e.other.shown == l; {
		case both && e.invalid != invalidTwice:
			v.change(e, func() { e.invalid = invalidTwice })
			twice++
		case !both && (complete || e.other.ns.whole == l || v.removed(e.other.ns, l)):
			v.single(e)
		}
	}
	return changed, twice
}

// removed tells whether a listing has shown that a namespace is gone.
func (v *View) removed(s *namespaceState, l *Listing) bool {
	return l.namespaces && !slices.Contains(v.namespaces, s.id)
}

// single says that a listing has not shown a volume twice. What is there is decoded
// again by the next one, unless it is known.
func (v *View) single(e *listed) {
	e.other = nil
	delete(v.ambiguous, e.ID)
	if e.invalid == invalidTwice || e.raw == 0 {
		e.raw, e.rev.fingerprint = 0, storageos.Fingerprint{}
	}
}

// gone forgets the volumes of a namespace that a complete listing has not shown.
func (v *View) gone(s *namespaceState, l *Listing) (ids []string) {
	if s.rev == nil || s.rev.shown != l {
		s.stale = append(s.stale, s.order...)
		delete(v.states, s.id)
	}
	ids = v.drop(s, s.stale, l)
	s.stale = nil
	return ids
}

// forget gives up, after an incomplete listing, what no list shows any more: volumes of
// namespaces that are gone, what a whole list has not shown, and what only an earlier
// part of a list has. They are not absent: they are unknown.
func (v *View) forget(l *Listing) (ids []string) {
	is := make(map[string]bool, len(v.namespaces))
	for _, id := range v.namespaces {
		is[id] = true
	}
	for _, s := range v.states {
		var lost []*listed
		switch {
		case l.namespaces && !is[s.id]:
			delete(v.states, s.id)
			lost = slices.Concat(s.stale, s.order)
		case s.whole == l:
			lost, s.stale = s.stale, nil
		default:
			lost = slices.DeleteFunc(slices.Clone(s.fresh), func(e *listed) bool { return e.rev == s.rev })
			s.fresh = slices.DeleteFunc(s.fresh, func(e *listed) bool { return e.rev != s.rev })
		}
		ids = append(ids, v.drop(s, lost, l)...)
	}
	for _, id := range ids {
		if v.known.Cares(id) {
			v.unknown[id] = l.Begun
		} else {
			v.forgot = l.Begun
		}
	}
	return ids
}

// drop takes volumes of a namespace that a listing has not shown out of the view.
func (v *View) drop(s *namespaceState, volumes []*listed, l *Listing) (ids []string) {
	for _, e := range volumes {
		if e.rev == nil || e.rev.shown == l || e.rev.ns != s {
			continue
		}
		if v.elsewhere(e) {
			continue
		}
		v.change(e, func() { e.rev = nil })
		delete(v.volumes, e.ID)
		delete(v.ambiguous, e.ID)
		ids = append(ids, e.ID)
	}
	return ids
}

// elsewhere tells whether another list shows a volume still, as last read. Then that is
// where it is; the next listing decodes it again.
func (v *View) elsewhere(e *listed) bool {
	other := e.other
	if other == nil || other.ns == e.rev.ns || v.states[other.ns.id] != other.ns || other.ns.rev != other {
		return false
	}
	v.change(e, func() { e.verified, e.rev, e.raw = e.lastVerified(), other, 0 })
	v.single(e)
	return true
}

// lastVerified is the last listing that showed the volume and is known to be of one
// cluster.
func (e *listed) lastVerified() *Listing {
	if e.rev != nil && e.rev.verified != nil {
		return e.rev.verified
	}
	return e.verified
}
