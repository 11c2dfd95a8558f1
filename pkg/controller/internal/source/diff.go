package source

import (
	"cmp"
	"slices"
	"time"

	"github.com/storageos/volume-sync-controller/pkg/controller/internal/state"
	"github.com/storageos/volume-sync-controller/pkg/storageos"
)

// ListDiff is the list of one namespace while it is read into the view. Where
// that finds the list unchanged, or a volume in it, nothing is done for it.
type ListDiff struct {
	view       *View
	l          *Listing
	ns         *namespaceState
	begun      time.Time             // when the list was asked for
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
	return &ListDiff{view: v, l: l, ns: s, begun: time.Now()}
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
	r.rev, r.old = &revision{ns: s, shown: r.l, begun: r.begun}, s.order
	s.stale = append(s.stale, s.order...)
	s.rev, s.order = r.rev, make([]*listed, 0, len(s.order))
}

// Close ends it. Whole says that the list was read to its end. It returns the IDs of volumes
// that were read by themselves before: now it is the list that counts.
func (r *ListDiff) Close(is storageos.Fingerprint, whole bool) (overtaken []string) {
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
		r.ns.rev.shown, r.ns.rev.begun = r.l, r.begun // and nothing was handed over
	default:
		r.start() // it may be empty
		if !r.duplicates && !r.rev.again {
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
	return r.view.overtaken(r)
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
	case e.rev == r.rev && cmp.Or(e.raw, r.later[id], raw) == raw: // neither is known if it is to be decoded again
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
