package source

import (
	"slices"

	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

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
	v.current, v.lastComplete = nil, complete
	v.generation++
	if complete {
		v.complete = l
		v.listings++
		v.clock.Completed(l.Begun, l.ended, l.Cluster)
	}
	if (complete || l.Verified) && l.Cluster == v.clock.Cluster {
		l.Span = v.clock.Span // beside a question another may answer at any time
	}
	changed, twice = v.resolve(l, complete)
	if complete {
		changed = append(changed, v.outdated(l)...)
	}
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
		case !v.known.NamesVolume(id): // any more
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
		if v.known.NamesVolume(id) {
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
		if v.elsewhere(e, l) {
			continue
		}
		v.change(e, func() { e.rev = nil })
		delete(v.volumes, e.ID)
		delete(v.ambiguous, e.ID)
		ids = append(ids, e.ID)
	}
	return ids
}

// elsewhere tells whether another list shows a volume still, as last read, and of the cluster that showed it
// last. Then that is where it is; the next listing decodes it again.
func (v *View) elsewhere(e *listed, l *Listing) bool {
	other, last := e.other, e.lastVerified()
	if other == nil || other.ns == e.rev.ns || v.states[other.ns.id] != other.ns || other.ns.rev != other {
		return false
	}
	if other.shown != l && other.verified != nil && last != nil && other.verified.Cluster != last.Cluster {
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
